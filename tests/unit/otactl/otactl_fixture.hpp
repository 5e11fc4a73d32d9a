#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/stack.hpp"
#include "tests/unit/esp-client/http_script_server.hpp"

namespace ota::otactl {

/// Runs otactl in a folder of the test's own against a server that answers `answer_` to everything.
class Otactl : public ::testing::Test {
 protected:
  using Result = test_support::CommandResult;
  using Server = device::tests::HttpScriptServer;

  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void answer(const std::string& body) { set_answer(Server::response("200 OK", body)); }
  void refuse(const std::string& detail) {
    set_answer(Server::response("403 Forbidden", R"({"detail":")" + detail + R"("})"));
  }

  Result otactl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), kProgram);
    return test_support::run_command(arguments, environment());
  }
  /// With a shell's redirections or folder: `$0` in `script` is otactl.
  Result shell(const std::string& script) {
    return test_support::run_command({"sh", "-c", "cd '" + folder_.string() + "'; " + script, kProgram},
                                     environment());
  }
  /// Ends with status 1 and a sentence that holds `text`.
  static void expect_failed(const Result& result, const std::string& text) {
    EXPECT_EQ(result.exit_status, 1) << result.output;
    EXPECT_NE(result.output.find(text), std::string::npos) << result.output;
  }

  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream file(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }
  [[nodiscard]] std::size_t requests() { return server_.requests().size(); }
  [[nodiscard]] std::string last_body() { return server_.requests().back().body; }

  std::filesystem::path folder_ = std::filesystem::path(::testing::TempDir()) /
                                  ("otactl-" + std::to_string(::getpid()) + "-" +
                                   ::testing::UnitTest::GetInstance()->current_test_info()->name());

 private:
  static inline const std::string kProgram = std::string(OTA_BINARY_DIR) + "/otactl/otactl";

  std::map<std::string, std::string> environment() {
    return {{"OTA_URL", server_.url()}, {"API_KEY", "key-of-the-test"}, {"no_proxy", "*"}};
  }

  void set_answer(std::string text) {
    const std::lock_guard<std::mutex> lock(mutex_);
    answer_ = std::move(text);
  }

  std::mutex mutex_;  ///< the server has a thread of its own
  std::string answer_ = Server::response("200 OK", "{}");
  Server server_{[this](const device::tests::Request&) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return answer_;
  }};
};

}  // namespace ota::otactl
