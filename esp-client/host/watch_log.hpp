#pragma once
#include <fstream>
#include <string>

#include "esp-client/host/simulated_device.hpp"

namespace ota::device::host {

// A line per transition in the log, and the same as JSON lines in a file when one is named.
class WatchLog final : public DeviceWatcher {
 public:
  explicit WatchLog(const std::string& events_file);  // throws std::runtime_error; empty: no file
  virtual ~WatchLog() = default;

  void transition(const std::string& id, State from, State to, std::string_view why) override;
  void settled(const std::string& id, const Result& result, bool recorded) override;
  void problem(const std::string& id, std::string_view what) override;
  void started(const std::string& id, std::string_view running_version) override;

 private:
  std::ofstream events_;
};

}  // namespace ota::device::host
