#pragma once

#include <sys/types.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace ota::test_support {

/// What a command left behind: its exit status (128 + signal when killed) and its stdout and stderr together.
struct CommandResult {
  int exit_status = -1;
  std::string output;
};

/// Runs a program to its end. `environment` comes on top of this process's own. Thread safe.
CommandResult run_command(const std::vector<std::string>& arguments,
                          const std::map<std::string, std::string>& environment = {});

/// Key and certificates of an enrolled device (paths of PEM files).
struct Enrolment {
  std::string cert;
  std::string key;
  std::string ca;
};

/// A private stack in a temporary folder, started by `./ota up` with free ports, with the binaries of the
/// build that the test belongs to. It is stopped and deleted by the destructor, and also when the test
/// process dies.
///
///   Stack stack({"postgres", "mosquitto"});
///
/// Constructors and calls throw std::runtime_error with the script's message when something does not start,
/// so a test fails with the reason. One thread at a time.
class Stack {
 public:
  using Environment = std::map<std::string, std::string>;

  /// `parts`: some of "postgres", "mosquitto", "bridge". `bridge_environment`: variables for the bridge, e.g.
  /// {{"LOG_LEVEL", "debug"}}. `up_options`: further options of the first `./ota up`, e.g. {"--https"}.
  explicit Stack(std::vector<std::string> parts, Environment bridge_environment = {},
                 std::vector<std::string> up_options = {});
  ~Stack();
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  /// A value of stack.env; throws when there is no such key.
  [[nodiscard]] const std::string& env(const std::string& key) const;
  [[nodiscard]] bool has_env(const std::string& key) const { return env_.count(key) > 0; }
  [[nodiscard]] int port(const std::string& key) const;

  /// libpq connection string of the database's owner, and of the role that the bridge uses.
  [[nodiscard]] std::string owner_conninfo() const;
  [[nodiscard]] std::string service_conninfo() const;

  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  [[nodiscard]] std::string log(const std::string& part) const;

  /// Starts the parts (all of this stack when empty) that are down and reads stack.env again.
  void up(const std::vector<std::string>& parts = {});
  /// Sends a signal to a part. With SIGKILL, SIGTERM, SIGINT or SIGQUIT waits until it is gone (15 s at
  /// most).
  void kill(const std::string& part, int signal = SIGKILL);
  /// kill, then up.
  void restart(const std::string& part, int signal = SIGKILL);
  [[nodiscard]] pid_t pid(const std::string& part) const;

  /// `./ota device add`: makes (or finds) the device's key and certificate.
  Enrolment enrol(const std::string& device_id);
  /// `./ota device revoke`.
  void revoke(const std::string& device_id);

 private:
  void ota(std::vector<std::string> arguments);
  void start_reaper();
  void read_stack_env();

  std::vector<std::string> parts_;
  std::vector<std::string> up_options_;
  Environment environment_;
  std::filesystem::path directory_;
  std::map<std::string, std::string> env_;
  pid_t reaper_ = -1;
  int reaper_pipe_ = -1;  ///< The reaper deletes the stack when the last holder of this end is gone.
};

}  // namespace ota::test_support
