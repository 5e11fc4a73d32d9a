// What a server answers that is newer, older, or no OTA Bridge at all.
#include <sstream>

#include "tests/unit/otactl/otactl_fixture.hpp"

namespace ota::otactl {
namespace {

TEST_F(Otactl, EndsWithASentenceOnAnswersItDoesNotUnderstand) {
  const std::vector<std::vector<std::string>> commands = {
      {"key", "list"},
      {"key", "add", "ci", "--role", "viewer"},
      {"key", "revoke", "ci"},
      {"device", "add", "esp-1", "--out", path("out")},
      {"device", "replace", "esp-1", "--out", path("out")},
      {"device", "certificates", "esp-1"},
      {"device", "revoke", "esp-1"},
      {"device", "reinstate", "esp-1"},
      {"device", "decommission", "esp-1"},
      {"device", "token", "esp-1"},
      {"device", "token", "esp-1", "--revoke"},
      {"enrol-token", "create"},
      {"enrol-token", "list"},
      {"enrol-token", "revoke", "7"},
  };
  const std::string every_member = "key keys tokens certificates certificate ca token id message not_after";
  std::vector<std::string> answers = {"{}", "[]", "null", "7", R"("text")", R"({"message":null})"};
  for (const char* value : {"5", "[5]", R"([{"serial":5,"name":5,"id":"x"}])", "{}"}) {
    std::string members = R"({"extra":0)";
    std::istringstream list(every_member);
    for (std::string member; list >> member;) members += ",\"" + member + "\":" + value;
    answers.push_back(members + "}");
  }
  for (const auto& command : commands) {
    for (const auto& body : answers) {
      answer(body);
      const auto result = otactl(command);
      EXPECT_EQ(result.exit_status, 1) << command[0] << ' ' << command[1] << ' ' << body;
      EXPECT_NE(result.output.find("the server's answer is not what otactl understands"), std::string::npos)
          << command[0] << ' ' << command[1] << ' ' << body << '\n'
          << result.output;
    }
  }
}

TEST_F(Otactl, NamesAWordThatIsNoCommand) {
  const std::vector<std::vector<std::string>> commands = {{"foo"}, {"foo", "list"}, {"device", "foo", "x"}};
  for (const auto& command : commands) {
    const auto result = otactl(command);
    EXPECT_EQ(result.exit_status, 2) << result.output;
    EXPECT_NE(result.output.find("'foo' is no command"), std::string::npos) << result.output;
  }
}

TEST_F(Otactl, EndsWithASentenceOnAnswersThatAreNoJson) {
  answer("<html>");
  expect_failed(otactl({"key", "list"}), "is this the URL of an OTA Bridge?");
}

TEST_F(Otactl, SaysHowManyCertificatesWereRevokedAndWarnsOfNone) {
  const auto revoke = [&](const std::string& members) {
    answer(R"({"message":"Device revoked")" + members + "}");
    const auto result = otactl({"device", "revoke", "typo-1"});
    EXPECT_EQ(result.exit_status, 0) << result.output;
    return result.output;
  };
  EXPECT_EQ(revoke(R"(,"certificates_revoked":2)"), "Device revoked\ncertificates revoked: 2\n");
  EXPECT_EQ(revoke(R"(,"certificates_revoked":2,"known":true)"), "Device revoked\ncertificates revoked: 2\n");
  const auto none = revoke(R"(,"certificates_revoked":0)");
  EXPECT_NE(none.find("those made elsewhere: otactl device adopt"), std::string::npos) << none;
  EXPECT_EQ(none.find("was ever seen"), std::string::npos) << none;
  const auto unknown = revoke(R"(,"certificates_revoked":0,"known":false)");
  EXPECT_NE(unknown.find("no device with the id typo-1 was ever seen here; it is barred from now on"),
            std::string::npos)
      << unknown;
}

TEST_F(Otactl, SaysThatASecretIsLostThatCannotBeWritten) {
  answer(R"({"key":"ota_1","token":"otd_1","id":7,"expires_at":"2030-01-01T00:00:00Z"})");
  expect_failed(shell("\"$0\" key add ci --role viewer >/dev/full"),
                "No space left on device; the key is lost: take it back by otactl key revoke ci");
  expect_failed(shell("\"$0\" enrol-token create >/dev/full"), "withdraw it by otactl enrol-token revoke 7");
  expect_failed(shell("\"$0\" device token esp-1 >/dev/full"), "the token is lost");
  expect_failed(shell("\"$0\" device token esp-1 >&-"), "the token is lost");
  expect_failed(
      shell("mkfifo pipe; { true <pipe; } & exec 3>pipe; wait; \"$0\" key add ci --role viewer >&3"),
      "the key is lost");
}

TEST_F(Otactl, FailsWhenItsListCannotBeWritten) {
  answer(R"({"keys":[]})");
  expect_failed(shell("\"$0\" key list >/dev/full"), "cannot write all of the answer");
}

TEST_F(Otactl, TellsItsVersion) {
  const auto told = otactl({"--version"});
  EXPECT_EQ(told.exit_status, 0);
  EXPECT_EQ(told.output.substr(0, 9), "otactl 0.") << told.output;
}

TEST_F(Otactl, SendsWhatIsNoUtf8WithoutAnException) {
  answer(R"({"message":"done"})");
  const auto result = otactl({"device", "reinstate", "esp-1", "--why",
                              "beim Kehren (Stra\xdf"
                              "e)"});
  EXPECT_EQ(result.exit_status, 0) << result.output;
}

}  // namespace
}  // namespace ota::otactl
