#include "otactl/command.hpp"

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <iterator>

namespace ota::otactl {

void end_with(const std::string& why) {
  std::cerr << "otactl: " << why << '\n';
  throw CLI::RuntimeError(kExitFailed);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file || bytes.empty()) end_with("cannot read " + path + ", or it is empty");
  return bytes;
}

std::string read_first_line(const std::string& path) {
  const auto text = read_file(path);
  return text.substr(0, text.find_first_of("\r\n"));
}

}  // namespace ota::otactl
