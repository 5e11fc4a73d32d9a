// What somebody finds who gets hold of a database dump, of the logs, of the list of processes, or of the
// files of the service: no key, password or token that opens anything.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/database.hpp"
#include "tests/support/hand_played_device.hpp"
#include "tests/support/rest_client.hpp"
#include "tests/support/stack.hpp"
#include "tests/unit/http/raw_client.hpp"

namespace ota {
namespace {

namespace fs = std::filesystem;
using test_support::Database;
using test_support::HandPlayedDevice;
using test_support::RestClient;
using test_support::run_command;
using test_support::Stack;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Secrets : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    stack_ = new Stack({"postgres", "mosquitto", "bridge"}, {{"LOG_LEVEL", "trace"}});
    use_everything();
  }
  static void TearDownTestSuite() {
    delete stack_;
    stack_ = nullptr;
  }

  /// Every kind of request that carries a secret, rightly and wrongly.
  static void use_everything() {
    RestClient rest(*stack_);
    rest.release_to_all("1.1.0", "m-secret", std::string(5000, 'x'));
    rest.get("/api/admin/devices");
    const auto& key = stack_->env("API_KEY");
    const auto& url = stack_->env("OTA_URL");
    const int port = std::stoi(url.substr(url.rfind(':') + 1));
    for (const auto& wrong : {key + "x", key.substr(1), key}) {
      // Also where it does not belong: in a header that is not read, and in the path.
      tests::call(port, "GET", "/api/admin/devices",
                  {{"X-API-Key", wrong}, {"Authorization", "Bearer " + wrong}});
    }
    HandPlayedDevice device(*stack_, "secret-1", "m-secret");
    device.check("1.0.0");
    device.report({{"firmware_version", "1.1.0"}, {"status", "failed"}, {"error_message", "no"}});
    private_key_line_ = second_line(read(stack_->directory() / "devices" / "secret-1.key"));
    authority_line_ = second_line(read(stack_->directory() / "ca" / "issuing.key"));
  }
  static std::string second_line(const std::string& pem) {
    const auto begin = pem.find('\n') + 1;
    return pem.substr(begin, pem.find('\n', begin) - begin);
  }

  static std::map<std::string, std::string> secrets() {
    std::map<std::string, std::string> all = {{"a device's private key", private_key_line_},
                                              {"the authority's private key", authority_line_}};
    for (const char* name :
         {"API_KEY", "MQTT_BRIDGE_PASSWORD", "MQTT_MONITOR_PASSWORD", "PGPASSWORD", "PG_SERVICE_PASSWORD"}) {
      all[name] = stack_->env(name);
    }
    return all;
  }
  static void expect_none_in(const std::string& text, const std::string& where) {
    for (const auto& [name, secret] : secrets()) {
      ASSERT_GE(secret.size(), 16U) << name;
      EXPECT_EQ(text.find(secret), std::string::npos) << where << " holds " << name;
    }
  }

  static Stack* stack_;
  static std::string private_key_line_;
  static std::string authority_line_;
};

Stack* Secrets::stack_ = nullptr;
std::string Secrets::private_key_line_;
std::string Secrets::authority_line_;

TEST_F(Secrets, ADatabaseDumpHoldsNone) {
  const auto dump = run_command({"pg_dump", stack_->owner_conninfo()});
  ASSERT_EQ(dump.exit_status, 0) << dump.output;
  ASSERT_NE(dump.output.find("secret-1"), std::string::npos) << "the dump has the data";
  expect_none_in(dump.output, "the dump");
}

TEST_F(Secrets, TheLogsHoldNoneEvenAtTheHighestLevel) {
  ASSERT_NE(stack_->log("bridge").find("/api/admin/devices"), std::string::npos) << "requests are logged";
  for (const auto& entry : fs::directory_iterator(stack_->directory() / "logs")) {
    expect_none_in(read(entry.path()), entry.path().filename().string());
  }
}

TEST_F(Secrets, TheListOfProcessesHoldsNoneAndTheirEnvironmentIsTheOwnersAlone) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    if (entry.path().filename().string().find_first_not_of("0123456789") != std::string::npos) continue;
    expect_none_in(read(entry.path() / "cmdline"), entry.path().string());
  }
  const auto environment = fs::path("/proc") / std::to_string(stack_->pid("bridge")) / "environ";
  ASSERT_NE(read(environment).find(stack_->env("API_KEY")), std::string::npos) << "it is there for its owner";
  EXPECT_EQ(fs::status(environment).permissions(), fs::perms::owner_read);
}

TEST_F(Secrets, ImagesAreNobodyElsesToReadOrChange) {
  const auto folder = stack_->directory() / "firmware";
  std::size_t images = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const auto others = entry.status().permissions() & (fs::perms::others_all | fs::perms::group_write);
    EXPECT_EQ(others, fs::perms::none) << entry.path();
    images += entry.path().extension() == ".bin" ? 1 : 0;
  }
  EXPECT_EQ(images, 1U);
}

TEST_F(Secrets, TheServicesOwnRoleReadsNoPasswordsAndCannotLogInAsAnother) {
  const auto as_service = [&](const std::string& sql) {
    return run_command({"psql", stack_->service_conninfo(), "-v", "ON_ERROR_STOP=1", "-Atc", sql});
  };
  EXPECT_EQ(as_service("SELECT count(*) FROM devices").output, "1\n");
  EXPECT_EQ(Database(*stack_).value("SELECT string_agg(DISTINCT usename, ' ') FROM pg_stat_activity "
                                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"),
            stack_->env("PG_SERVICE_USER"))
      << "what the running bridge logs in as";
  for (const char* sql : {"SELECT rolpassword FROM pg_authid", "SELECT pg_read_file('/etc/passwd')",
                          "COPY devices TO PROGRAM 'cat'", "UPDATE ota_events SET event_data = '{}'",
                          "DELETE FROM ota_events", "DROP TABLE ota_events", "SET ROLE postgres"}) {
    const auto refused = as_service(sql);
    EXPECT_NE(refused.exit_status, 0) << sql;
    EXPECT_NE(refused.output.find("ERROR"), std::string::npos) << refused.output;
  }
}

}  // namespace
}  // namespace ota
