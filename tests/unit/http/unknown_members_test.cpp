// Misspelt names: refused where the route is this service's own, named or passed over where the contract lets
// clients send what nobody knows.
#include <nlohmann/json.hpp>

#include "tests/unit/http/server_fixture.hpp"

namespace ota::tests {
namespace {

using nlohmann::json;

constexpr char kRollout[] =
    R"({"name":"r","firmware_version":"1.1.0","device_model":"esp32","target_type":"all")";

class UnknownMembers : public ServerTest {
 protected:
  UnknownMembers() {
    rollouts_.rows.resize(1);
    rollouts_.rows[0].id = 7;
    rollouts_.rows[0].target_type = "all";
    devices_.devices = {device("d1", "1.0.0")};
    catalogs_.set(fleet::Catalog({release(1, "1.0.0"), release(2, "1.1.0")}, {}));
  }

  Reply send(const std::string& method, const std::string& target, const std::string& body = {}) {
    return call(port(), method, target, {{"X-API-Key", kKey}}, body);
  }
  static std::string detail(const Reply& reply) { return json::parse(reply.body).value("detail", ""); }
  static json warnings(const Reply& reply) {
    EXPECT_EQ(reply.status, 200) << reply.body;
    return json::parse(reply.body).value("warnings", json::array());
  }
};

TEST_F(UnknownMembers, AreRefusedByEveryRouteOfOurOwnAndTheRightOneIsNamed) {
  struct Case {
    const char* method;
    const char* target;
    const char* body;
    const char* sentence;
  };
  const Case cases[] = {
      {"POST", "enrolment-tokens", R"({"device":"dev-typo"})",
       "'device' is not a member of this body; did you mean device_id?"},
      {"POST", "enrolment-tokens", R"({"hours":0})",
       "'hours' is not a member of this body; there are device_id, device_model, valid_minutes"},
      {"POST", "keys", R"({"name":"zz","role":"viewer","expires_in_days":1})",
       "'expires_in_days' is not a member of this body; did you mean expires_at?"},
      {"POST", "devices/d1/revoke", R"({"serial":["00"]})",
       "'serial' is not a member of this body; did you mean serials?"},
      {"POST", "devices/d1/reinstate", R"({"reason":"found"})", "'reason' is not"},
      {"POST", "devices/d1/certificate", R"({"csr":"x","days":1})", "'days' is not"},
      {"POST", "devices/d1/replace", R"({"csr":"x","whi":"y"})", "did you mean why?"},
      {"POST", "certificates", R"({"certificate":"x"})", "did you mean certificates?"},
      {"POST", "devices/d1/token", R"({"ttl":1})", "'ttl' is not a member of this body; there are none"},
      {"POST", "devices/d1/offer", R"({"version":"1.1.0"})", "'version' is not"},
      {"PATCH", "devices/d1", R"({"hold":false,"pined_version":"1.0.0"})", "did you mean pinned_version?"},
      {"POST", "groups/beta/devices", R"({"add":["d1"],"removed":["d2"]})", "did you mean remove?"},
      {"POST", "freeze", R"({"minutes":5})", "'minutes' is not"},
      {"POST", "unfreeze", R"({"model":"esp32"})", "'model' is not"},
      {"POST", "firmware/1.1.0/withdraw", R"({"device_model":"esp32"})", "'device_model' is not"},
      {"POST", "firmware/1.1.0/manifest", R"({"manifest":"x","force":true})", "'force' is not"},
      {"POST", "rollout/7/pause", R"({"device_id":"d1"})", "'device_id' is not"},
      {"POST", "rollout/7/resume", R"({"acknowledged":true})", "did you mean acknowledge?"},
      {"POST", "rollout/7/abort", R"({"acknowledge":true})", "'acknowledge' is not"},
      {"POST", "rollout/7/rollback", R"({"firmware_version":"1.0.0"})", "'firmware_version' is not"},
      {"POST", "rollout/7/retry", R"({"device":"d1"})", "did you mean device_id?"},
      {"PATCH", "rollout/7", R"({"stages":[{"percentage":5,"soak_minuts":60}]})",
       "'soak_minuts' is not a member of stages[0]; did you mean soak_minutes?"},
      {"PATCH", "rollout/7", R"({"rate":{"inflight_max":5}})", "did you mean in_flight_max?"},
      {"PATCH", "rollout/7", R"({"rollout_percent":5})", "did you mean rollout_percentage?"},
  };
  releases_.rows.resize(1);
  releases_.rows[0].version = "1.1.0";
  releases_.rows[0].model = "esp32";
  for (const auto& [method, target, body, sentence] : cases) {
    SCOPED_TRACE(std::string(method) + " " + target + " " + body);
    const auto answer = send(method, std::string("/api/admin/") + target, body);
    EXPECT_EQ(answer.status, 422) << answer.body;
    EXPECT_NE(detail(answer).find(sentence), std::string::npos) << answer.body;
  }
  EXPECT_EQ(rollouts_.last_id, 0) << "nothing was ordered";
  EXPECT_EQ(releases_.ended, "");
  EXPECT_EQ(desk_.count(), 0U);
}

TEST_F(UnknownMembers, OfARolloutsObjectsAreRefusedWhenItIsCreatedOrSimulated) {
  const std::pair<const char*, const char*> cases[] = {
      {R"("stages":[{"percentage":100,"soak_minuts":60}])", "did you mean soak_minutes?"},
      {R"("abort_criteria":[{"percent_mx":3}])", "did you mean percent_max?"},
      {R"("windows":[{"weekday":["mon"]}])", "did you mean weekdays?"},
      {R"("retries":{"failures":0})", "did you mean failed?"},
  };
  for (const char* path : {"/api/admin/rollout/create", "/api/admin/rollout/simulate"}) {
    for (const auto& [member, sentence] : cases) {
      const auto answer = send("POST", path, std::string(kRollout) + "," + member + "}");
      EXPECT_EQ(answer.status, 422) << answer.body;
      EXPECT_NE(detail(answer).find(sentence), std::string::npos) << answer.body;
    }
  }
  EXPECT_EQ(rollouts_.created.name, "");
}

TEST_F(UnknownMembers, OfARolloutAndItsFilterAreNamedAsWarnings) {
  const std::string body =
      std::string(kRollout) +
      R"(,"rollout_percent":5,"starts_at":"x","target_filter":{"exclude_devices":["d1"]}})";
  for (const char* path : {"/api/admin/rollout/create", "/api/admin/rollout/simulate"}) {
    const auto told = warnings(send("POST", path, body));
    ASSERT_EQ(told.size(), 3U) << told;
    EXPECT_EQ(told[0], "'rollout_percent' is not a member of this body; did you mean rollout_percentage?");
    EXPECT_EQ(told[1], "'starts_at' is not a member of this body; did you mean start_at?");
    EXPECT_EQ(told[2],
              "'exclude_devices' is not a member of target_filter; did you mean exclude_device_ids?");
  }
  EXPECT_EQ(rollouts_.created.percentage, 100);
  const auto patched = warnings(send("PATCH", "/api/admin/rollout/7",
                                     R"({"rollout_percentage":5,"active":false,"target_filter":{"x":1}})"));
  ASSERT_EQ(patched.size(), 2U) << patched;
  EXPECT_EQ(patched[0],
            "'active' is not a member of this body; there are rollout_percentage, is_active, "
            "target_filter, stages, abort_criteria, rate, start_within_seconds, start_at, end_at, "
            "end_action, windows, attempt_minutes_max, confirm_minutes, retries, "
            "retry_pause_minutes");
  EXPECT_NE(send("PATCH", "/api/admin/rollout/7", R"({"is_active":false})").body.find("\"ok\""),
            std::string::npos);
  EXPECT_TRUE(warnings(send("PATCH", "/api/admin/rollout/7", R"({"is_active":false})")).empty());
}

TEST_F(UnknownMembers, OfBodiesThatDevicesAndOldScriptsSendArePassedOver) {
  EXPECT_EQ(send("POST", "/api/device/dev1/update-status",
                 R"({"firmware_version":"1.1.0","status":"success","rssi":-60})")
                .status,
            200);
  EXPECT_EQ(send("POST", "/api/admin/rollout/7/deactivate", R"({"id":7,"force":true})").status, 200);
  EXPECT_EQ(send("POST", "/api/admin/devices/d1/token", "{}").status, 201);
}

TEST_F(UnknownMembers, ParametersAreRefusedByRoutesOfOurOwn) {
  const std::pair<const char*, const char*> cases[] = {
      {"GET /api/admin/rollouts?states=paused",
       "'states' is not a query parameter of this route; did you mean state?"},
      {"GET /api/admin/events?device=d1", "did you mean device_id?"},
      {"GET /api/admin/keys?cursor=5", "there are limit"},
      {"POST /api/admin/firmware/1.1.0/withdraw?model=esp32", "'model' is not"},
      {"DELETE /api/admin/firmware/1.1.0?device_mdel=esp32", "did you mean device_model?"},
      {"POST /api/admin/freeze?device_model=esp32", "there are none"},
      {"DELETE /api/admin/devices/d1?dry_run=1", "there are none"},
  };
  for (const auto& [request, sentence] : cases) {
    const std::string text = request;
    const auto space = text.find(' ');
    const auto answer = send(text.substr(0, space), text.substr(space + 1));
    EXPECT_EQ(answer.status, 422) << request << answer.body;
    EXPECT_NE(detail(answer).find(sentence), std::string::npos) << request << answer.body;
  }
  EXPECT_EQ(releases_.ended, "");
  EXPECT_EQ(get("/api/admin/keys?cursor=5").status, 401) << "nothing is told to strangers";
}

TEST_F(UnknownMembers, ParametersOfTheContractsRoutesArePassedOverAndAWriteTellsIt) {
  for (const char* path :
       {"/api/admin/devices?page=2", "/api/admin/firmware/releases?sort=asc",
        "/api/admin/update-status?status=failed", "/health?verbose=1", "/metrics?x=1",
        "/api/firmware/check?device_id=a&device_model=esp32&current_version=1.0.0&rssi=-60"}) {
    EXPECT_EQ(get_as_admin(path).status, 200) << path;
  }
  EXPECT_EQ(warnings(upload("version=1.2.0&device_model=esp32&is_signd=1", multipart({{"file", "bytes"}}))),
            json({"'is_signd' is not a query parameter of this route; did you mean is_signed?"}));
  EXPECT_EQ(warnings(send("POST", "/api/admin/rollout/create?is_active=false", std::string(kRollout) + "}")),
            json({"'is_active' is not a query parameter of this route; there are none"}));
  EXPECT_EQ(warnings(send("PATCH", "/api/admin/rollout/7?why=x", R"({"is_active":false})")).size(), 1U);
}

TEST_F(UnknownMembers, APartOfAnUploadThatNobodyKnowsIsNamed) {
  EXPECT_EQ(warnings(upload("version=1.2.0&device_model=esp32",
                            multipart({{"file", "bytes"}, {"manifst", "model=esp32"}, {"submit", "Send"}}))),
            json({"'manifst' is not a part of this body; did you mean manifest?",
                  "'submit' is not a part of this body; there are file, manifest"}));
  EXPECT_TRUE(warnings(upload("version=1.3.0&device_model=esp32", multipart({{"file", "bytes"}}))).empty());
}

}  // namespace
}  // namespace ota::tests
