// Keys with roles on a real stack, through otactl: made, used, revoked.
#include <gtest/gtest.h>

#include <chrono>

#include "tests/support/database.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/rest_client.hpp"
#include "tests/support/stack.hpp"

namespace ota {
namespace {

using test_support::CommandResult;
using test_support::Database;
using test_support::eventually;
using test_support::RestClient;
using test_support::Stack;

class AdminKeys : public ::testing::Test {
 protected:
  CommandResult otactl(std::vector<std::string> arguments, const std::string& key) {
    arguments.insert(arguments.begin(), std::string(OTA_BINARY_DIR) + "/otactl/otactl");
    return test_support::run_command(
        arguments, {{"OTA_URL", stack_.env("OTA_URL")}, {"API_KEY", key}, {"no_proxy", "*"}});
  }
  CommandResult otactl(const std::vector<std::string>& arguments) {
    return otactl(arguments, stack_.env("API_KEY"));
  }
  std::string add(const std::string& name, const std::string& role) {
    const auto added = otactl({"key", "add", name, "--role", role, "--expires", "90d"});
    EXPECT_EQ(added.exit_status, 0) << added.output;
    const auto begin = added.output.find("ota_");
    return begin == std::string::npos ? "" : added.output.substr(begin, 68);
  }
  long status_of(const std::string& path, const std::string& key) {
    return RestClient(stack_, key).get(path).status;
  }

  Stack stack_{{"postgres", "mosquitto", "bridge"}};
  Database database_{stack_};
};

TEST_F(AdminKeys, OpenWhatTheirRoleIsForUntilTheyAreRevoked) {
  const auto viewer = add("dashboard", "viewer");
  const auto publisher = add("ci", "publisher");
  EXPECT_EQ(status_of("/api/admin/devices", viewer), 200);
  EXPECT_EQ(status_of("/api/admin/keys", publisher), 403);
  const auto refused = otactl({"key", "list"}, viewer);
  EXPECT_EQ(refused.exit_status, 1);
  EXPECT_NE(refused.output.find("the key dashboard has the role viewer"), std::string::npos)
      << refused.output;
  RestClient ci(stack_, publisher);
  EXPECT_EQ(ci.upload("1.0.0", "esp32", "image").status, 200);
  EXPECT_EQ(database_.value("SELECT created_by FROM ota_events WHERE event_type = 'firmware_uploaded'"),
            "ci");
  EXPECT_EQ(ci.post("/api/admin/freeze", {}).status, 403);

  EXPECT_EQ(otactl({"key", "revoke", "ci"}).exit_status, 0);
  EXPECT_EQ(ci.get("/api/admin/devices").status, 401) << "at once by the bridge that was told";
  const auto listed = otactl({"key", "list"});
  EXPECT_NE(listed.output.find("revoked"), std::string::npos) << listed.output;
  EXPECT_NE(listed.output.find("dashboard"), std::string::npos) << listed.output;
}

TEST_F(AdminKeys, RevokedElsewhereAreRefusedWithinTwoSeconds) {
  const auto key = add("ci", "publisher");
  EXPECT_EQ(status_of("/api/admin/devices", key), 200);
  database_.value("UPDATE admin_keys SET revoked_at = now() WHERE name = 'ci'");
  EXPECT_TRUE(
      eventually([&] { return status_of("/api/admin/devices", key) == 401; }, std::chrono::seconds(2)));
}

TEST_F(AdminKeys, GoOnWorkingWithoutTheDatabaseAndStandNowhereInClear) {
  const auto key = add("ci", "publisher");
  EXPECT_EQ(status_of("/api/admin/devices", key), 200);
  const auto dump =
      test_support::run_command({"pg_dump", "-h", stack_.env("PGHOST"), "-p", stack_.env("PGPORT"), "-U",
                                 stack_.env("PGUSER"), stack_.env("PGDATABASE")},
                                {{"PGPASSWORD", stack_.env("PGPASSWORD")}});
  ASSERT_EQ(dump.exit_status, 0) << dump.output.substr(0, 500);
  EXPECT_NE(dump.output.find("admin_keys"), std::string::npos);
  for (const auto& secret : {key, key.substr(4), stack_.env("API_KEY")}) {
    EXPECT_EQ(dump.output.find(secret), std::string::npos);
    EXPECT_EQ(stack_.log("bridge").find(secret), std::string::npos);
  }
  stack_.kill("postgres");
  EXPECT_EQ(status_of("/api/admin/devices", key), 503) << "known, and waits for the database like everybody";
  EXPECT_EQ(status_of("/api/admin/freeze", key), 405);
  EXPECT_EQ(status_of("/api/admin/keys", key), 403);
  EXPECT_EQ(status_of("/api/admin/devices", "ota_wrong"), 401);
}

}  // namespace
}  // namespace ota
