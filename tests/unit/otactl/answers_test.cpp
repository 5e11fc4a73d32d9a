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
  EXPECT_NE(none.find("give those made elsewhere by --serial"), std::string::npos) << none;
  EXPECT_EQ(none.find("was ever seen"), std::string::npos) << none;
  const auto unknown = revoke(R"(,"certificates_revoked":0,"known":false)");
  EXPECT_NE(unknown.find("no device with the id typo-1 was ever seen here; it is barred from now on"),
            std::string::npos)
      << unknown;
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
