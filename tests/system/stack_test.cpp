// What ./ota up, down and device promise, on PostgreSQL and Mosquitto alone.
#include "tests/support/stack.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace ota {
namespace {

using test_support::CommandResult;
using test_support::run_command;
using test_support::Stack;

const std::string kOta = std::string(OTA_SOURCE_DIR) + "/ota";

CommandResult ota(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), kOta);
  return run_command(arguments, {{"OTA_BUILD_DIR", OTA_BINARY_DIR}});
}

CommandResult sql(const std::string& conninfo, const std::string& command) {
  return run_command(
      {"psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", conninfo, "-c", command});
}

TEST(StackTest, KilledPartsComeBackWithTheirDataAndPorts) {
  Stack stack({"postgres", "mosquitto"});
  ASSERT_EQ(sql(stack.owner_conninfo(), "CREATE TABLE kept AS SELECT 42 AS answer").exit_status, 0);
  const auto before =
      stack.env("MQTTS_PORT") + " " + stack.env("MQTT_INTERNAL_PORT") + " " + stack.owner_conninfo();
  stack.kill("postgres");
  stack.kill("mosquitto");
  stack.up();
  EXPECT_EQ(sql(stack.owner_conninfo(), "SELECT answer FROM kept").output, "42\n");
  EXPECT_EQ(stack.env("MQTTS_PORT") + " " + stack.env("MQTT_INTERNAL_PORT") + " " + stack.owner_conninfo(),
            before);
}

TEST(StackTest, UpOnARunningStackTouchesNothing) {
  Stack stack({"postgres", "mosquitto"});
  const auto postgres = stack.pid("postgres");
  const auto mosquitto = stack.pid("mosquitto");
  stack.up();
  EXPECT_EQ(stack.pid("postgres"), postgres);
  EXPECT_EQ(stack.pid("mosquitto"), mosquitto);
}

TEST(StackTest, ImagesLieWhereTheCallerSays) {
  auto name = (std::filesystem::temp_directory_path() / "ota-images-XXXXXX").string();
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  {
    Stack stack({"mosquitto"}, {{"FIRMWARE_STORAGE_PATH", name + "/kept"}});
    EXPECT_EQ(stack.env("FIRMWARE_STORAGE_PATH"), name + "/kept");
    EXPECT_EQ(ota({"up", "--only", "mosquitto", "--dir", stack.directory().string()}).exit_status, 0);
    std::ifstream remembered(stack.directory() / "stack.env");
    const std::string text{std::istreambuf_iterator<char>(remembered), {}};
    EXPECT_NE(text.find("FIRMWARE_STORAGE_PATH=" + name + "/kept\n"), std::string::npos) << text;
  }
  std::filesystem::remove_all(name);
}

TEST(StackTest, AFolderMayHaveAnyName) {
  auto name = (std::filesystem::temp_directory_path() / "ota-R&D x-XXXXXX").string();
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  EXPECT_EQ(ota({"up", "--only", "mosquitto", "--any-ports", "--dir", name}).exit_status, 0);
  const auto enrolled = ota({"device", "add", "sensor-1", "--dir", name});
  EXPECT_EQ(enrolled.exit_status, 0) << enrolled.output;
  EXPECT_EQ(ota({"down", "--purge", "--dir", name}).exit_status, 0);
  EXPECT_FALSE(std::filesystem::exists(name));
}

TEST(StackTest, AFileThatIsNoStacksSettingsIsNotRun) {
  auto name = (std::filesystem::temp_directory_path() / "ota-foreign-XXXXXX").string();
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  std::ofstream(name + "/settings") << "touch '" << name << "/was-run'\n";
  for (const char* verb : {"up", "down"}) {
    const auto refused = ota({verb, "--dir", name});
    EXPECT_EQ(refused.exit_status, 1) << verb;
    EXPECT_NE(refused.output.find("is not of ./ota"), std::string::npos) << refused.output;
  }
  EXPECT_FALSE(std::filesystem::exists(name + "/was-run"));
  std::filesystem::remove_all(name);
}

// What a shell has exported of another stack must not reach a demo, a benchmark or the tests.
TEST(StackTest, CallersSettingsAreForgotten) {
  const auto left =
      run_command({"env", "FIRMWARE_STORAGE_PATH=/theirs", "PGHOST=theirs", "PGSERVICE=theirs",
                   "MQTT_URL=mqtt://theirs:1", "API_KEY=theirs", "REQUIRE_SIGNED=1", "DEVICE_AUTH=token",
                   "PORT=1", "LOG_LEVEL=debug", std::string("OTA_BUILD_DIR=") + OTA_BINARY_DIR, "bash", "-c",
                   "set -euo pipefail; OTA_ROOT=/nowhere; STACK_SCRIPTS=$1; . \"$1/common.sh\"; . "
                   "\"$1/setup.sh\"; forget_callers_settings; env | grep -E "
                   "'^(PG|MQTT|FIRMWARE|API_KEY|REQUIRE|DEVICE_AUTH|PORT|LOG_LEVEL)' | sort",
                   "bash", std::string(OTA_SOURCE_DIR) + "/deploy/stack"});
  EXPECT_EQ(left.output, "LOG_LEVEL=debug\n");
}

TEST(StackTest, DownSaysSoInALine) {
  Stack stack({"mosquitto"});
  const auto down = ota({"down", "--dir", stack.directory().string()});
  EXPECT_EQ(down.output, "OTA Bridge is down; its data stays in " + stack.directory().string() + "\n");
}

TEST(StackTest, PidFileThatNamesAStrangerIsNotBelieved) {
  Stack stack({"mosquitto"});
  stack.kill("mosquitto");
  // A pid comes round again: this test's own process stands in for the stranger.
  std::ofstream(stack.directory() / "run" / "mosquitto.pid") << getpid() << " 1 /etc/hostname\n";
  stack.up();
  EXPECT_NE(stack.pid("mosquitto"), getpid());
  stack.kill("mosquitto");
  std::ofstream(stack.directory() / "run" / "mosquitto.pid") << getpid() << " 1 /etc/hostname\n";
  EXPECT_EQ(ota({"down", "--dir", stack.directory().string()}).exit_status, 0);  // and we are still here
}

TEST(StackTest, ServiceRoleIsNoOwnerAndTheOwnerNoSuperuser) {
  Stack stack({"postgres"});
  EXPECT_NE(sql(stack.service_conninfo(), "CREATE TABLE not_mine (x int)").exit_status, 0);
  EXPECT_NE(sql(stack.service_conninfo(), "DROP DATABASE " + stack.env("PGDATABASE")).exit_status, 0);
  EXPECT_EQ(sql(stack.owner_conninfo(), "SELECT rolsuper FROM pg_roles WHERE rolname = current_user").output,
            "f\n");
}

TEST(StackTest, SecretsAreReadableByTheOwnerAlone) {
  Stack stack({"postgres", "mosquitto"});
  const auto device = stack.enrol("sensor:1");
  for (const auto& file :
       {stack.directory() / "stack.env", stack.directory() / "settings",
        stack.directory() / "mosquitto" / "passwords", stack.directory() / "ca" / "issuing.key",
        stack.directory() / "ca" / "root" / "root.key", stack.directory() / "ca" / "server.key",
        std::filesystem::path(device.key)}) {
    EXPECT_EQ(std::filesystem::status(file).permissions(), std::filesystem::perms(0600)) << file;
  }
}

TEST(StackTest, EnrollingADeviceAgainKeepsItsKey) {
  Stack stack({"mosquitto"});
  const auto first = ota({"device", "add", "sensor:1", "--dir", stack.directory().string()});
  const auto base = (stack.directory() / "devices" / "sensor:1").string();
  EXPECT_EQ(first.output, "CERT=" + base + ".crt\nKEY=" + base +
                              ".key\nCA=" + (stack.directory() / "ca" / "ca.crt").string() + "\n");
  const auto key = run_command({"sha256sum", base + ".key"}).output;
  EXPECT_EQ(ota({"device", "add", "sensor:1", "--dir", stack.directory().string()}).exit_status, 0);
  EXPECT_EQ(run_command({"sha256sum", base + ".key"}).output, key);
}

TEST(StackTest, IdsOutsideTheGrammarGetNoCertificate) {
  Stack stack({"mosquitto"});
  const std::string too_long(65, 'a');
  for (const std::string& id : {std::string("+"), std::string("#"), std::string("a/b"), std::string(".."),
                                std::string("."), std::string("bridge@internal"), std::string("a b"),
                                std::string(""), std::string("a\nb"), std::string("\xc3\xa4"), too_long}) {
    EXPECT_EQ(ota({"device", "add", id, "--dir", stack.directory().string()}).exit_status, 2) << id;
  }
  EXPECT_FALSE(std::filesystem::exists(stack.directory() / "devices"));
}

TEST(StackTest, WrongUsageEndsWithTwoAndOneLine) {
  const std::vector<std::vector<std::string>> wrong = {{"fly"},
                                                       {"up", "--http-port", "0"},
                                                       {"up", "--http-port", "65536"},
                                                       {"up", "--http-port", "8o8o"},
                                                       {"up", "--dir"},
                                                       {"up", "--only", "redis"},
                                                       {"down", "now"},
                                                       {"device", "remove", "x"},
                                                       {"device", "add"},
                                                       {"demo", "--devices", "4"},
                                                       {"test", "--preset", "fast"},
                                                       {"logs", "-n", "many"}};
  for (const auto& arguments : wrong) {
    const auto result = ota(arguments);
    EXPECT_EQ(result.exit_status, 2) << arguments[0];
    EXPECT_EQ(result.output.rfind("ota: ", 0), 0U) << result.output;
    EXPECT_EQ(result.output.find('\n'), result.output.size() - 1) << result.output;
  }
}

TEST(StackTest, EveryVerbExplainsItself) {
  for (const std::string verb : {"setup", "demo", "test", "up", "down", "device", "logs", "bench"}) {
    const auto result = ota({verb, "--help"});
    EXPECT_EQ(result.exit_status, 0) << verb;
    EXPECT_EQ(result.output.rfind("usage: ./ota " + verb, 0), 0U) << result.output;
  }
}

// The closing line of ./ota test counts single cases, and never loses a program that crashed.
TEST(VerdictTest, CountsCasesAndProgramsWithoutThem) {
  auto name = (std::filesystem::temp_directory_path() / "ota-verdict-XXXXXX").string();
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  const std::filesystem::path directory = name;
  std::ofstream(directory / "ctest.junit")
      << "<testsuite name=\"(empty)\"\n\ttests=\"4\"\n>\n"
      << "\t<testcase name=\"cases\" classname=\"x\" time=\"1\" status=\"fail\">\n"
      << "\t<testcase name=\"script\" classname=\"x\" time=\"1\" status=\"run\">\n"
      << "\t<testcase name=\"crashed\" classname=\"x\" time=\"1\" status=\"fail\">\n"
      << "\t<testcase name=\"leaked\" classname=\"x\" time=\"1\" status=\"fail\">\n";
  std::ofstream(directory / "cases.xml")
      << "<testsuites tests=\"9\" failures=\"2\" disabled=\"1\" errors=\"0\" name=\"AllTests\">\n"
      << "  <testsuite name=\"A\" tests=\"9\" failures=\"2\" disabled=\"1\" skipped=\"3\" errors=\"0\">\n";
  std::ofstream(directory / "leaked.xml")
      << "<testsuites tests=\"5\" failures=\"0\" disabled=\"0\" errors=\"0\" name=\"AllTests\">\n"
      << "  <testsuite name=\"A\" tests=\"5\" failures=\"0\" disabled=\"0\" skipped=\"0\" errors=\"0\">\n";
  const auto scripts = std::string(OTA_SOURCE_DIR) + "/deploy/stack";
  const auto result =
      run_command({"bash", "-c",
                   "set -euo pipefail; OTA_ROOT=/nowhere; STACK_SCRIPTS=$1; . \"$1/common.sh\"; . "
                   "\"$1/test.sh\"; print_verdict \"$2\"",
                   "bash", scripts, directory.string()});
  EXPECT_EQ(result.output, "9 passed, 4 failed, 4 skipped\n");
  EXPECT_EQ(result.exit_status, 1);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace ota
