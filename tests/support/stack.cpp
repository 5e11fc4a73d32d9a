#include "tests/support/stack.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

extern char** environ;

namespace ota::test_support {
namespace {

const std::string kOta = std::string(OTA_SOURCE_DIR) + "/ota";

[[noreturn]] void fail_errno(const std::string& what, int error) {
  throw std::runtime_error(what + ": " + std::strerror(error));
}

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& extra) {
  std::map<std::string, std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const auto equals = text.find('=');
    if (equals != std::string::npos) all[text.substr(0, equals)] = text.substr(equals + 1);
  }
  // The stack is private whatever database or broker the caller's shell points to.
  for (const char* name : {"PGHOST", "PGSERVICE", "MQTT_URL", "MQTT_ROOT", "API_KEY"}) all.erase(name);
  for (const auto& [name, value] : extra) all[name] = value;
  std::vector<std::string> lines;
  for (const auto& [name, value] : all) lines.push_back(name + "=" + value);
  return lines;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (auto& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

/// Starts a program in a session of its own with the given descriptors as stdin and as stdout + stderr (-1:
/// /dev/null).
pid_t spawn(std::vector<std::string> arguments, const std::map<std::string, std::string>& environment,
            int input, int output) {
  auto lines = merged_environment(environment);
  const auto environment_pointers = pointers(lines);
  const auto argument_pointers = pointers(arguments);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (input < 0) {
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  } else {
    posix_spawn_file_actions_adddup2(&actions, input, 0);
  }
  if (output < 0) {
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  } else {
    posix_spawn_file_actions_adddup2(&actions, output, 1);
  }
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, argument_pointers[0], &actions, &attributes, argument_pointers.data(),
                                 environment_pointers.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) fail_errno("cannot start " + arguments.at(0), error);
  return pid;
}

std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) fail_errno("pipe2", errno);
  return ends;
}

std::string read_to_end(int descriptor) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (true) {
    const auto count = read(descriptor, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

int wait_for(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// The script's values are shell words: plain, '…', or with backslashes.
std::string unquote(const std::string& word) {
  if (word.size() >= 2 && word.front() == '\'' && word.back() == '\'') return word.substr(1, word.size() - 2);
  std::string text;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (word[i] == '\\' && i + 1 < word.size()) ++i;
    text += word[i];
  }
  return text;
}

/// A zombie counts as gone: in a container nobody may ever reap it.
bool is_gone(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(file, text)) return true;
  const auto state = text.rfind(") ");
  return state == std::string::npos || text.compare(state + 2, 1, "Z") == 0;
}

std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : ",") + part;
  return text;
}

}  // namespace

CommandResult run_command(const std::vector<std::string>& arguments,
                          const std::map<std::string, std::string>& environment) {
  const auto ends = make_pipe();
  const pid_t pid = spawn(arguments, environment, -1, ends[1]);
  close(ends[1]);
  CommandResult result;
  result.output = read_to_end(ends[0]);
  close(ends[0]);
  result.exit_status = wait_for(pid);
  return result;
}

Stack::Stack(std::vector<std::string> parts, Environment bridge_environment,
             std::vector<std::string> up_options)
    : parts_(std::move(parts)),
      up_options_(std::move(up_options)),
      environment_(std::move(bridge_environment)) {
  auto name = (std::filesystem::temp_directory_path() / "ota-stack-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) fail_errno("mkdtemp " + name, errno);
  directory_ = name;
  // PostgreSQL's own account has to pass it when the tests run as root.
  std::filesystem::permissions(directory_, std::filesystem::perms(0755));
  environment_.emplace("OTA_BUILD_DIR", OTA_BINARY_DIR);
  environment_.emplace("FIRMWARE_STORAGE_PATH", "");  // of its own, whatever the caller's shell says
  start_reaper();
  try {
    up();
  } catch (...) {
    close(reaper_pipe_);
    wait_for(reaper_);
    throw;
  }
}

Stack::~Stack() {
  close(reaper_pipe_);
  wait_for(reaper_);
}

// It waits for the end of its stdin, which comes when this process closes the pipe or dies in whatever way.
void Stack::start_reaper() {
  const auto ends = make_pipe();
  const std::string script =
      "trap '' TERM INT HUP; cat; if [ -e \"$2/settings\" ]; then \"$1\" down --purge --dir \"$2\"; fi; rm "
      "-rf "
      "\"$2\"";
  reaper_ = spawn({"sh", "-c", script, "sh", kOta, directory_.string()}, {}, ends[0], -1);
  close(ends[0]);
  reaper_pipe_ = ends[1];
}

void Stack::ota(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), kOta);
  arguments.insert(arguments.end(), {"--dir", directory_.string()});
  const auto result = run_command(arguments, environment_);
  if (result.exit_status != 0) throw std::runtime_error("./ota " + arguments[1] + ": " + result.output);
}

void Stack::up(const std::vector<std::string>& parts) {
  std::vector<std::string> arguments{"up", "--any-ports", "--only", join(parts.empty() ? parts_ : parts)};
  arguments.insert(arguments.end(), up_options_.begin(), up_options_.end());
  ota(std::move(arguments));
  read_stack_env();
}

void Stack::read_stack_env() {
  env_.clear();
  std::ifstream file(directory_ / "stack.env");
  for (std::string line; std::getline(file, line);) {
    const auto equals = line.find('=');
    if (equals != std::string::npos) env_[line.substr(0, equals)] = unquote(line.substr(equals + 1));
  }
}

const std::string& Stack::env(const std::string& key) const {
  const auto found = env_.find(key);
  if (found == env_.end()) throw std::runtime_error("stack.env has no " + key);
  return found->second;
}

int Stack::port(const std::string& key) const {
  const auto& text = env(key);
  if (text.empty()) throw std::runtime_error(key + " is empty: that part was never started");
  return std::stoi(text);
}

std::string Stack::owner_conninfo() const {
  return "host=" + env("PGHOST") + " port=" + env("PGPORT") + " dbname=" + env("PGDATABASE") +
         " user=" + env("PGUSER") + " password=" + env("PGPASSWORD");
}

std::string Stack::service_conninfo() const {
  return "host=" + env("PGHOST") + " port=" + env("PGPORT") + " dbname=" + env("PGDATABASE") +
         " user=" + env("PG_SERVICE_USER") + " password=" + env("PG_SERVICE_PASSWORD");
}

std::string Stack::log(const std::string& part) const {
  std::ifstream file(directory_ / "logs" / (part + ".log"));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

pid_t Stack::pid(const std::string& part) const {
  std::string key = part + "_PID";
  std::transform(key.begin(), key.end(), key.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return port(key);
}

void Stack::kill(const std::string& part, int signal) {
  const pid_t target = pid(part);
  if (::kill(target, signal) != 0) fail_errno("kill " + part, errno);
  if (signal != SIGKILL && signal != SIGTERM && signal != SIGINT && signal != SIGQUIT) return;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(15);
  while (!is_gone(target)) {
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error(part + " does not end");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void Stack::restart(const std::string& part, int signal) {
  kill(part, signal);
  up({part});
}

Enrolment Stack::enrol(const std::string& device_id) {
  ota({"device", "add", device_id});
  const auto base = (directory_ / "devices" / device_id).string();
  return {base + ".crt", base + ".key", (directory_ / "ca" / "ca.crt").string()};
}

void Stack::revoke(const std::string& device_id) {
  ota({"device", "revoke", device_id});
}

}  // namespace ota::test_support
