#include "otactl/command.hpp"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iostream>
#include <vector>

namespace ota::otactl {

void end_with(const std::string& why) {
  std::cerr << "otactl: " << why << '\n';
  throw CLI::RuntimeError(kExitFailed);
}

void print_secret(const std::string& secret, const std::string& when_lost) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that is gone is an error like others
  errno = 0;
  std::cout << secret << std::endl;
  if (std::cout) return;
  const std::string reason = errno == 0 ? "" : std::string(": ") + std::strerror(errno);
  end_with("cannot write to standard output" + reason + "; " + when_lost);
}

std::string read_file(const std::string& path, std::size_t bytes_max) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string bytes;
  std::vector<char> part(65536);
  while (file && bytes.size() <= bytes_max) {
    file.read(part.data(), static_cast<std::streamsize>(part.size()));
    bytes.append(part.data(), static_cast<std::size_t>(file.gcount()));
  }
  if (bytes.size() > bytes_max)
    end_with(path + " holds more than the " + std::to_string(bytes_max) + " bytes that are read of it");
  if (!file.eof()) end_with("cannot read " + path + ": " + std::strerror(errno));
  if (bytes.empty()) end_with(path + " is empty");
  return bytes;
}

std::string read_first_line(const std::string& path) {
  const auto text = read_file(path);
  return text.substr(0, text.find_first_of("\r\n"));
}

}  // namespace ota::otactl
