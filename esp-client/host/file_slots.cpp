#include "esp-client/host/file_slots.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "esp-client/host/sha256.hpp"

namespace ota::device::host {
namespace {

constexpr unsigned kTrialBootsMax = 3;

}  // namespace

FileSlots::FileSlots(std::string folder, NvsFile& nvs, std::uint64_t slot_bytes, bool durable, Fault fault)
    : folder_(std::move(folder)), nvs_(nvs), slot_bytes_(slot_bytes), durable_(durable), fault_(fault) {}

FileSlots::~FileSlots() {
  close_slot();
}

void FileSlots::close_slot() {
  if (file_ >= 0) close(file_);
  file_ = -1;
}

std::string FileSlots::other_path() const {
  return folder_ + (nvs_.boot_state().active == 'a' ? "/slot-b.bin" : "/slot-a.bin");
}

bool FileSlots::boot_loader(bool give_up_trial) {
  BootState state = nvs_.boot_state();
  if (!state.on_trial) return true;
  if (give_up_trial || fault_ == Fault::kBootFails || state.trial_boots >= kTrialBootsMax) {
    state.active = state.active == 'a' ? 'b' : 'a';
    state.version = state.previous_version;
    state.on_trial = false;
    state.trial_boots = 0;
    state.rolled_back = true;
  } else {
    ++state.trial_boots;
  }
  return nvs_.set_boot_state(state);
}

BootInfo FileSlots::boot_info() {
  BootInfo info;
  const BootState& state = nvs_.boot_state();
  info.running_version.append_cut(state.version);
  info.on_trial = state.on_trial;
  info.rolled_back = state.rolled_back;
  info.slot_bytes = slot_bytes_;
  return info;
}

bool FileSlots::open(std::uint64_t offset_bytes) {
  close_slot();
  file_ = ::open(other_path().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (file_ < 0) return false;
  struct stat facts {};
  if (fstat(file_, &facts) != 0 || static_cast<std::uint64_t>(facts.st_size) < offset_bytes) return false;
  const auto at = static_cast<off_t>(offset_bytes);
  return ftruncate(file_, at) == 0 && lseek(file_, at, SEEK_SET) == at;
}

bool FileSlots::write(const std::uint8_t* bytes, std::size_t count) {
  while (count > 0) {
    const ssize_t written = file_ < 0 ? -1 : ::write(file_, bytes, count);
    if (written <= 0) return false;
    bytes += written;
    count -= static_cast<std::size_t>(written);
  }
  return true;
}

bool FileSlots::sha256(std::uint64_t size_bytes, Digest& out) {
  if (file_ >= 0 && durable_ && fsync(file_) != 0) return false;
  close_slot();
  return sha256_of_file(other_path(), size_bytes, out);
}

bool FileSlots::activate(const Version& version) {
  if (fault_ == Fault::kSwitchFails) return false;
  BootState state = nvs_.boot_state();
  state.previous_version = state.version;
  state.version = std::string(version.view());
  state.active = state.active == 'a' ? 'b' : 'a';
  state.on_trial = true;
  state.trial_boots = 0;
  state.rolled_back = false;
  return nvs_.set_boot_state(state);
}

bool FileSlots::confirm() {
  BootState state = nvs_.boot_state();
  state.on_trial = false;
  state.trial_boots = 0;
  state.rolled_back = false;
  state.previous_version.clear();
  return nvs_.set_boot_state(state);
}

}  // namespace ota::device::host
