#pragma once

#include <fstream>
#include <sstream>
#include <string>

namespace ota::tests {

/// A wire example from tests/golden, without its last line end. Server and device tests read the same files.
inline std::string golden(const std::string& name) {
  std::ifstream file(std::string(OTA_SOURCE_DIR) + "/tests/golden/" + name);
  std::stringstream text;
  text << file.rdbuf();
  auto content = text.str();
  if (!content.empty() && content.back() == '\n') content.pop_back();
  return content;
}

}  // namespace ota::tests
