#include "esp-client/host/nvs_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

namespace ota::device::host {
namespace {

constexpr std::string_view kRecordStart = "record_format=";

bool write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool sync_folder(const std::string& folder) {
  const int handle = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0) return false;
  const bool ok = fsync(handle) == 0;
  close(handle);
  return ok;
}

void apply_line(BootState& state, const std::string& key, const std::string& value) {
  if (key == "active" && (value == "a" || value == "b")) state.active = value[0];
  if (key == "version" && is_version(value)) state.version = value;
  if (key == "previous_version" && is_version(value)) state.previous_version = value;
  if (key == "on_trial") state.on_trial = value == "1";
  if (key == "rolled_back") state.rolled_back = value == "1";
  if (key == "trial_boots" && value.size() == 1 && value[0] >= '0' && value[0] <= '9') {
    state.trial_boots = static_cast<unsigned>(value[0] - '0');
  }
}

}  // namespace

NvsFile::NvsFile(std::string folder, bool durable) : folder_(std::move(folder)), durable_(durable) {}

bool NvsFile::read(const std::string& first_version) {
  boot_state_ = BootState();
  boot_state_.version = first_version;
  blob_.clear();
  const std::string path = folder_ + "/nvs";
  if (access(path.c_str(), F_OK) != 0) return write(boot_state_, blob_);
  std::ifstream file(path, std::ios::binary);
  if (!file) return false;
  std::ostringstream all;
  all << file.rdbuf();
  const std::string text = all.str();
  std::size_t at = 0;
  while (at < text.size()) {
    if (text.compare(at, kRecordStart.size(), kRecordStart) == 0) {
      blob_ = text.substr(at);
      break;
    }
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::size_t equals = text.find('=', at);
    if (equals < end) {
      apply_line(boot_state_, text.substr(at, equals - at), text.substr(equals + 1, end - equals - 1));
    }
    at = end + 1;
  }
  return true;
}

bool NvsFile::set_boot_state(const BootState& state) {
  if (!write(state, blob_)) return false;
  boot_state_ = state;
  return true;
}

std::size_t NvsFile::load(char* buffer, std::size_t capacity) {
  if (blob_.size() > capacity) return 0;
  std::memcpy(buffer, blob_.data(), blob_.size());
  return blob_.size();
}

bool NvsFile::save(std::string_view blob) {
  if (!write(boot_state_, blob)) return false;
  blob_.assign(blob);
  return true;
}

bool NvsFile::write(const BootState& state, std::string_view blob) const {
  std::ostringstream text;
  text << "active=" << state.active << "\nversion=" << state.version
       << "\nprevious_version=" << state.previous_version << "\non_trial=" << state.on_trial
       << "\nrolled_back=" << state.rolled_back << "\ntrial_boots=" << state.trial_boots << "\n"
       << blob;
  const std::string fresh = folder_ + "/nvs.new";
  const int file = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return false;
  const bool written = write_all(file, text.str()) && (!durable_ || fsync(file) == 0);
  close(file);
  if (!written || std::rename(fresh.c_str(), (folder_ + "/nvs").c_str()) != 0) return false;
  return !durable_ || sync_folder(folder_);
}

}  // namespace ota::device::host
