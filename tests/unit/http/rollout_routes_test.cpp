#include <nlohmann/json.hpp>

#include "tests/unit/http/server_fixture.hpp"

namespace ota::tests {
namespace {

using nlohmann::json;

class RolloutRoutes : public ServerTest {
 protected:
  RolloutRoutes() {
    rollouts_.rows.resize(2);
    rollouts_.rows[0].id = 9;
    rollouts_.rows[1].id = 7;
    rollouts_.rows[1].name = "seven";
    rollouts_.rows[1].target_filter_json = "{}";
    rollouts_.rows[1].policy.stages = {{5, 90, 10, 0}, {100}};
    rollouts_.rows[1].percentage = 5;
    rollouts_.rows[1].stage_entered_at = "1970-01-01T00:00:00+00:00";
    catalogs_.set(
        fleet::Catalog({release(1, "1.0.0"), release(2, "1.1.0"), release(3, "2.0.0", "1.5.0")}, {}));
    devices_.devices = {device("a", "1.0.0"), device("b", "1.1.0"), device("esp32_002", "1.0.0")};
  }

  Reply send(const std::string& method, const std::string& target, const std::string& body = {}) {
    Headers headers = {{"X-API-Key", kKey}};
    if (!body.empty()) headers["Content-Type"] = "application/json";
    return call(port(), method, target, headers, body);
  }
  static std::string body_of(const std::string& version, const std::string& more = {}) {
    return R"({"name":"r","device_model":"esp32","target_type":"all","firmware_version":")" + version + "\"" +
           more + "}";
  }
};

TEST_F(RolloutRoutes, ListsInPages) {
  const auto page =
      json::parse(get_as_admin("/api/admin/rollouts?limit=2&state=paused&device_model=esp32").body);
  EXPECT_EQ(page.at("rollouts").size(), 2U);
  EXPECT_EQ(page.at("next_cursor"), "7");
  EXPECT_EQ(rollouts_.asked.state, fleet::RolloutState::paused);
  get_as_admin("/api/admin/rollouts?cursor=7");
  EXPECT_EQ(rollouts_.asked.before_id, 7);
  EXPECT_EQ(get_as_admin("/api/admin/rollouts?cursor=x").status, 422);
  EXPECT_EQ(get_as_admin("/api/admin/rollouts?state=asleep").status, 422);
}

TEST_F(RolloutRoutes, ShowsHowFarARolloutIs) {
  auto& progress = rollouts_.stands.progress;
  progress.started = 8;
  progress.finished = progress.finished_since = 6;
  progress.succeeded = 5;
  progress.due_devices = 12;
  rollouts_.stands.finished_last_hour = 6;
  const auto shown = json::parse(get_as_admin("/api/admin/rollout/7").body);
  EXPECT_EQ(shown.at("stage").at("count"), 2);
  EXPECT_EQ(shown.at("stage").at("why"), "6 of 10 needed attempts have finished");
  EXPECT_EQ(shown.at("success_percent_of_started"), 62.5);
  EXPECT_EQ(shown.at("failed"), 1);
  EXPECT_EQ(shown.at("time_left_seconds"), 7200);
  EXPECT_EQ(get_as_admin("/api/admin/rollout/8").status, 404);
  EXPECT_EQ(get_as_admin("/api/admin/rollout/seven").status, 422);
}

TEST_F(RolloutRoutes, OrdersCarryWhoAndWhy) {
  const std::pair<const char*, fleet::RolloutCommand> orders[] = {
      {"pause", fleet::RolloutCommand::pause},
      {"resume", fleet::RolloutCommand::resume},
      {"abort", fleet::RolloutCommand::abort},
      {"rollback", fleet::RolloutCommand::roll_back}};
  for (const auto& [path, command] : orders) {
    EXPECT_EQ(send("POST", std::string("/api/admin/rollout/7/") + path).status, 200) << path;
    EXPECT_EQ(rollouts_.ordered.command, command);
    EXPECT_EQ(rollouts_.ordered.by, "admin");
  }
  send("POST", "/api/admin/rollout/7/resume", R"({"why":"fixed","acknowledge":true})");
  EXPECT_EQ(rollouts_.ordered.why, "fixed");
  EXPECT_TRUE(rollouts_.ordered.acknowledge);
  EXPECT_EQ(send("POST", "/api/admin/rollout/7/pause", "{").status, 400);
  EXPECT_EQ(send("POST", "/api/admin/rollout/7/pause", "[]").status, 422);
  EXPECT_EQ(send("GET", "/api/admin/rollout/7/pause").status, 405);
}

TEST_F(RolloutRoutes, ARollbackAnswersWhatTakesTheDevicesBack) {
  rollouts_.outcome = {fleet::RolloutState::rolled_back, true, {10, 11}, {{"0.9.0", 3}}};
  const auto answer = json::parse(send("POST", "/api/admin/rollout/7/rollback").body);
  EXPECT_EQ(answer.at("rollbacks"), json({10, 11}));
  EXPECT_EQ(answer.at("no_way").at("0.9.0"), 3);
}

TEST_F(RolloutRoutes, RetrySettlesTheReleasedDevices) {
  const auto answer = json::parse(send("POST", "/api/admin/rollout/7/retry").body);
  EXPECT_EQ(answer.at("devices"), 2);
  EXPECT_EQ(desk_.count(), 2U);
  EXPECT_TRUE(std::holds_alternative<fleet::Settle>(desk_.last().body));
  EXPECT_EQ(desk_.last().channel, fleet::Channel::internal);
}

TEST_F(RolloutRoutes, CreatingSaysWhatAnAdminShouldKnow) {
  const auto plain = send("POST", "/api/admin/rollout/create", body_of("1.1.0"));
  EXPECT_EQ(plain.status, 200);
  EXPECT_FALSE(json::parse(plain.body).contains("warnings"));

  const auto nobody = send("POST", "/api/admin/rollout/create",
                           body_of("1.1.0", R"(,"target_filter":{"metadata":{"site":"moon"}})"));
  EXPECT_EQ(nobody.status, 201);
  EXPECT_NE(nobody.body.find("no device that is known now is included"), std::string::npos) << nobody.body;

  const auto unreachable = send("POST", "/api/admin/rollout/create", body_of("2.0.0"));
  EXPECT_EQ(unreachable.status, 422);
  EXPECT_NE(unreachable.body.find("could ever get there"), std::string::npos) << unreachable.body;
  devices_.devices.push_back(device("z", "1.6.0"));
  const auto partly = send("POST", "/api/admin/rollout/create", body_of("2.0.0"));
  EXPECT_EQ(partly.status, 201);
  EXPECT_NE(partly.body.find("2 devices run 1.0.0"), std::string::npos) << partly.body;
}

TEST_F(RolloutRoutes, ARivalOfTheSameModelIsNamed) {
  catalogs_.set(fleet::Catalog({release(2, "1.1.0")}, {rollout(3, "1.1.0")}));
  const auto answer = send("POST", "/api/admin/rollout/create", body_of("1.1.0"));
  EXPECT_NE(answer.body.find("the newest decides"), std::string::npos) << answer.body;
}

TEST_F(RolloutRoutes, PoliciesAndZonesAreTested) {
  const auto window = [](const std::string& zone) {
    return R"(,"windows":[{"start":"22:00","minutes":60,"time_zone":")" + zone + R"("}])";
  };
  EXPECT_EQ(send("POST", "/api/admin/rollout/create", body_of("1.1.0", window("UTC"))).status, 200);
  EXPECT_EQ(rollouts_.created.policy.windows.size(), 1U);
  const auto unknown = send("POST", "/api/admin/rollout/create", body_of("1.1.0", window("Moon/Base")));
  EXPECT_EQ(unknown.status, 422);
  EXPECT_NE(unknown.body.find("windows[0].time_zone"), std::string::npos);
  EXPECT_EQ(send("PATCH", "/api/admin/rollout/7", "{" + window("Moon/Base").substr(1) + "}").status, 422);
  EXPECT_EQ(send("PATCH", "/api/admin/rollout/7", R"({"stages":[{"percentage":200}]})").status, 422);
  EXPECT_EQ(send("PATCH", "/api/admin/rollout/7", R"({"confirm_minutes":4})").status, 200);
  EXPECT_EQ(rollouts_.patched.policy->confirm_minutes, 4);
}

TEST_F(RolloutRoutes, SimulateTellsWhoWouldGetWhatAndWhyTheOthersNot) {
  const auto answer = send("POST", "/api/admin/rollout/simulate",
                           R"({"device_model":"esp32","target_type":"all","firmware_version":"1.1.0"})");
  ASSERT_EQ(answer.status, 200) << answer.body;
  const auto survey = json::parse(answer.body);
  EXPECT_EQ(survey.at("devices"), 3);
  EXPECT_EQ(survey.at("would_update"), 2);
  EXPECT_EQ(survey.at("by_version").at("1.1.0"), 2);
  EXPECT_EQ(survey.at("not").at("already_current"), 1);
  EXPECT_EQ(survey.at("examples").at("update")[0].at("device_id"), "a");
  EXPECT_EQ(rollouts_.created.name, "") << "nothing is created";
  EXPECT_EQ(send("POST", "/api/admin/rollout/simulate",
                 R"({"device_model":"esp32","target_type":"all","firmware_version":"7.0.0"})")
                .status,
            422);
}

}  // namespace
}  // namespace ota::tests
