// What list shows of keys and tokens: a table for people, JSON for programs.
#include "tests/unit/otactl/otactl_fixture.hpp"

namespace ota::otactl {
namespace {

using Lists = Otactl;

constexpr const char* kTokens = R"({"tokens":[
{"id":12,"device_id":"esp-12345678","device_model":null,"expires_at":"2999-01-02T03:04:05.678Z",
 "created_by":"admin","revoked_at":null,"used_at":null,"used_by":null},
{"id":3,"device_id":null,"device_model":"esp32","expires_at":"2001-01-02T03:04:05Z",
 "created_by":"admin","revoked_at":null,"used_at":null,"used_by":null},
{"id":2,"device_id":null,"device_model":null,"expires_at":"2001-01-02T03:04:05Z",
 "created_by":"ci","revoked_at":null,"used_at":"2001-01-01T00:00:00Z","used_by":"esp-7"}]})";

TEST_F(Lists, TokensAreATableWithTheirState) {
  answer(kTokens);
  const auto listed = otactl({"enrol-token", "list"});
  EXPECT_EQ(listed.exit_status, 0);
  EXPECT_EQ(listed.output,
            "ID  DEVICE        MODEL  STATE    UNTIL              CREATED BY  USED BY\n"
            "12  esp-12345678  any    open     2999-01-02T03:04Z  admin\n"
            "3   any new       esp32  expired  2001-01-02T03:04Z  admin\n"
            "2   any new       any    used     2001-01-02T03:04Z  ci          esp-7\n");
}

TEST_F(Lists, KeysAreATableWithTheirState) {
  answer(R"({"keys":[{"name":"ci","role":"publisher","expires_at":null,"last_used_at":null,
             "created_by":"admin","revoked_at":"2001-01-01T00:00:00Z"}]})");
  EXPECT_EQ(otactl({"key", "list"}).output,
            "NAME  ROLE       STATE    EXPIRES  LAST USED  CREATED BY\n"
            "ci    publisher  revoked  never    never      admin\n");
}

TEST_F(Lists, AreJsonWhereAsked) {
  answer(kTokens);
  EXPECT_EQ(shell("\"$0\" enrol-token list --json | jq -r '.tokens[].id' | tr '\\n' ' '").output, "12 3 2 ");
  answer(R"({"keys":[]})");
  EXPECT_EQ(shell("\"$0\" key list --json | jq -c .").output, "{\"keys\":[]}\n");
}

}  // namespace
}  // namespace ota::otactl
