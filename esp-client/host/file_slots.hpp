#pragma once
#include <cstdint>
#include <string>

#include "esp-client/core/ports.hpp"
#include "esp-client/host/nvs_file.hpp"

namespace ota::device::host {

// Two files as image slots and the boot loader that chooses between them. `version` in the nvs file plays the
// part of the version compiled into a real image.
class FileSlots final : public Slots {
 public:
  enum class Fault : std::uint8_t { kNone, kSwitchFails, kBootFails };

  FileSlots(std::string folder, NvsFile& nvs, std::uint64_t slot_bytes, bool durable, Fault fault);
  virtual ~FileSlots();
  FileSlots(const FileSlots&) = delete;
  FileSlots& operator=(const FileSlots&) = delete;

  // What the boot loader does before an image starts: counts trial starts, and goes back to the old slot
  // when a new image has used them up, was given up, or (Fault::kBootFails) does not start at all.
  [[nodiscard]] bool boot_loader(bool give_up_trial);

  BootInfo boot_info() override;
  [[nodiscard]] bool open(std::uint64_t offset_bytes) override;
  [[nodiscard]] bool write(const std::uint8_t* bytes, std::size_t count) override;
  [[nodiscard]] bool sha256(std::uint64_t size_bytes, Digest& out) override;
  [[nodiscard]] bool activate(const Version& version) override;
  [[nodiscard]] bool confirm() override;

 private:
  [[nodiscard]] std::string other_path() const;
  void close_slot();

  std::string folder_;
  NvsFile& nvs_;
  std::uint64_t slot_bytes_;
  bool durable_;
  Fault fault_;
  int file_ = -1;
};

}  // namespace ota::device::host
