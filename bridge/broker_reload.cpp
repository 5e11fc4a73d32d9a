#include "bridge/broker_reload.hpp"

#include <signal.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace ota::bridge {

fleet::Expected<void> reload_broker(const std::string& pid_file) {
  std::ifstream file(pid_file);
  pid_t pid = 0;
  if (!(file >> pid) || pid <= 1) {
    return fleet::fail(fleet::ErrorKind::unavailable, "no process id can be read from " + pid_file);
  }
  std::ifstream name_file("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  if (!std::getline(name_file, name) || name != "mosquitto") {
    return fleet::fail(fleet::ErrorKind::unavailable,
                       "process " + std::to_string(pid) + " of " + pid_file + " is no mosquitto");
  }
  if (::kill(pid, SIGHUP) == 0) return {};
  return fleet::fail(fleet::ErrorKind::unavailable, "cannot signal the broker (process " +
                                                        std::to_string(pid) + "): " + std::strerror(errno));
}

}  // namespace ota::bridge
