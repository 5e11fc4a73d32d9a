#pragma once
#include <string>
#include <string_view>

#include "esp-client/core/ports.hpp"

namespace ota::device::host {

// What the boot loader of a real device keeps, beside the record of the core: one text file of key=value
// lines, replaced by rename, so that a power cut or a full disk leaves the old or the new one.
struct BootState {
  char active = 'a';
  std::string version;
  std::string previous_version;  // of the other slot, while the active image is on trial
  bool on_trial = false;
  bool rolled_back = false;
  unsigned trial_boots = 0;
};

class NvsFile final : public Storage {
 public:
  // `durable`: fsync file and folder at each write. A large simulated fleet does without.
  NvsFile(std::string folder, bool durable);
  virtual ~NvsFile() = default;

  // Reads the file; where there is none, slot a runs `first_version`. False when it cannot be read.
  [[nodiscard]] bool read(const std::string& first_version);
  [[nodiscard]] const BootState& boot_state() const { return boot_state_; }
  [[nodiscard]] bool set_boot_state(const BootState& state);

  [[nodiscard]] std::size_t load(char* buffer, std::size_t capacity) override;
  [[nodiscard]] bool save(std::string_view blob) override;

 private:
  bool write(const BootState& state, std::string_view blob) const;

  std::string folder_;
  bool durable_;
  BootState boot_state_;
  std::string blob_;
};

}  // namespace ota::device::host
