#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <string>

#include "http/tls_files.hpp"

namespace ota::tests {

/// A certificate authority of the project's own (broker-config/ca.sh) in a temporary folder.
class TestAuthority {
 public:
  TestAuthority() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ota-ca-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    run({"init"});
    run({"server"});
  }
  ~TestAuthority() { std::filesystem::remove_all(folder_); }
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  void run(std::initializer_list<std::string> arguments) const {
    std::string command = std::string(OTA_SOURCE_DIR) + "/broker-config/ca.sh " + folder_;
    for (const auto& argument : arguments) command += " '" + argument + "'";
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
  }
  void add_device(const std::string& name) const { run({"device", folder_, name}); }
  void revoke(const std::string& name) const { run({"revoke", path(name + ".crt")}); }

  [[nodiscard]] std::string path(const std::string& file) const { return folder_ + "/" + file; }
  [[nodiscard]] http::TlsFiles server_files() const {
    return {path("server.crt"), path("server.key"), path("chain.crt"), path("crl.pem")};
  }

 private:
  std::string folder_;
};

}  // namespace ota::tests
