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
  EXPECT_EQ(shown.at("success_rate_percent"), 62.5);
  EXPECT_EQ(shown.at("success_rate_over"), "started");
  EXPECT_NEAR(shown.at("failure_rate_percent").get<double>(), 16.67, 0.01);
  EXPECT_EQ(shown.at("failure_rate_over"), "finished");
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
  EXPECT_EQ(answer.at("state"), "running");
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
  EXPECT_EQ(nobody.status, 200);
  EXPECT_NE(nobody.body.find("no device that is known now is included"), std::string::npos) << nobody.body;

  const auto unreachable = send("POST", "/api/admin/rollout/create", body_of("2.0.0"));
  EXPECT_EQ(unreachable.status, 422);
  EXPECT_NE(unreachable.body.find("could ever get there"), std::string::npos) << unreachable.body;
  devices_.devices.push_back(device("z", "1.6.0"));
  const auto partly = send("POST", "/api/admin/rollout/create", body_of("2.0.0"));
  EXPECT_EQ(partly.status, 200);
  EXPECT_NE(partly.body.find("2 devices run 1.0.0"), std::string::npos) << partly.body;
}

TEST_F(RolloutRoutes, AFilterThatTheTargetTypeDoesNotLookAtIsNamed) {
  const auto warnings_of = [&](const std::string& path, const std::string& members) {
    const auto answer = json::parse(send("POST", path, body_of("1.1.0", members)).body);
    return answer.value("warnings", json::array()).dump();
  };
  for (const char* path : {"/api/admin/rollout/create", "/api/admin/rollout/simulate"}) {
    const auto listed =
        warnings_of(path, R"(,"target_filter":{"device_ids":["a"],"exclude_device_ids":["b"]})");
    EXPECT_NE(listed.find("target_filter.device_ids is passed over"), std::string::npos) << listed;
    EXPECT_EQ(listed.find("exclude"), std::string::npos) << listed;
    EXPECT_NE(warnings_of(path, R"(,"target_filter":{"group":"beta"})").find("group does"),
              std::string::npos);
  }
  const auto patched = send("PATCH", "/api/admin/rollout/7", R"({"target_filter":{"groups":["beta"]}})");
  EXPECT_NE(patched.body.find("target_filter.groups is passed over"), std::string::npos) << patched.body;
}

TEST_F(RolloutRoutes, AnEndThatHasPassedIsNamed) {
  const auto answer =
      send("POST", "/api/admin/rollout/create", body_of("1.1.0", R"(,"end_at":"1970-01-02T00:00:00Z")"));
  EXPECT_NE(answer.body.find("end_at has passed"), std::string::npos) << answer.body;
}

TEST_F(RolloutRoutes, ARivalOfTheSameModelIsNamed) {
  catalogs_.set(fleet::Catalog({release(2, "1.1.0")}, {rollout(3, "1.1.0")}));
  const auto answer = send("POST", "/api/admin/rollout/create", body_of("1.1.0"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.body.find("the newest decides"), std::string::npos) << answer.body;
}

TEST_F(RolloutRoutes, ManyRivalsAreNamedNewestFirstAndNotWithoutEnd) {
  std::vector<fleet::Rollout> rivals;
  for (int id = 1; id <= 30; ++id) rivals.push_back(rollout(id, "1.1.0"));
  rivals.push_back(rollout(31, "1.1.0"));
  rivals.back().model = "esp8266";
  catalogs_.set(fleet::Catalog({release(2, "1.1.0")}, rivals));
  const auto warnings =
      json::parse(send("POST", "/api/admin/rollout/create", body_of("1.1.0")).body).at("warnings");
  ASSERT_EQ(warnings.size(), 11U);
  EXPECT_NE(warnings[0].get<std::string>().find("rollout 30 'r30'"), std::string::npos) << warnings[0];
  EXPECT_NE(warnings[10].get<std::string>().find("20 more"), std::string::npos) << warnings[10];
}

TEST_F(RolloutRoutes, RolloutsForOtherDevicesAreNoRivals) {
  auto other = rollout(3, "1.1.0");
  other.target.type = fleet::TargetType::specific;
  other.target.device_ids = {"b", "c"};
  catalogs_.set(fleet::Catalog({release(2, "1.1.0")}, {other}));
  const auto status = [&](const std::string& filter) {
    return send("POST", "/api/admin/rollout/create",
                R"({"name":"r","device_model":"esp32","target_type":"specific","firmware_version":"1.1.0",)"
                R"("target_filter":)" +
                    filter + "}")
        .status;
  };
  EXPECT_EQ(status(R"({"device_ids":["a"]})"), 200);
  EXPECT_EQ(status(R"({"device_ids":["a","b"]})"), 200);
  EXPECT_EQ(status(R"({"device_ids":["a"],"mac_addresses":["aa:bb:cc:dd:ee:ff"]})"), 200)
      << "the address may be b's";
}

TEST_F(RolloutRoutes, APercentageBesideStagesIsPassedOverAloud) {
  const std::string stages = R"(,"stages":[{"percentage":5},{"percentage":100}])";
  EXPECT_EQ(send("POST", "/api/admin/rollout/create", body_of("1.1.0", stages)).body.find("stages decide"),
            std::string::npos);
  for (const char* percentage : {"50", "100"}) {
    const auto answer = send("POST", "/api/admin/rollout/create",
                             body_of("1.1.0", stages + R"(,"rollout_percentage":)" + percentage));
    EXPECT_EQ(answer.status, 200);
    EXPECT_NE(answer.body.find("the stages decide"), std::string::npos) << answer.body;
  }
}

TEST_F(RolloutRoutes, WhatADeviceRunsThatNeverSaidSoMayStillBeAnything) {
  devices_.devices = {device("a", "")};
  const auto answer = send("POST", "/api/admin/rollout/create", body_of("2.0.0"));
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_NE(answer.body.find("1 devices run no known version"), std::string::npos) << answer.body;
}

TEST_F(RolloutRoutes, CreatingWithoutDevicesIsAllowedWithAWarning) {
  devices_.devices.clear();
  EXPECT_EQ(send("POST", "/api/admin/rollout/create", body_of("2.0.0")).status, 200);
}

TEST_F(RolloutRoutes, AMissingReleaseIsTheStoresToRefuse) {
  rollouts_.failure = fleet::Error{fleet::ErrorKind::invalid, "firmware_version 7.0.0 does not exist"};
  const auto answer = send("POST", "/api/admin/rollout/create", body_of("7.0.0"));
  EXPECT_EQ(answer.status, 422);
  EXPECT_NE(answer.body.find("firmware_version 7.0.0"), std::string::npos) << answer.body;
  rollouts_.failure = fleet::Error{fleet::ErrorKind::conflict, "a rollout named 'r' exists"};
  EXPECT_EQ(send("POST", "/api/admin/rollout/create", body_of("1.1.0")).status, 409);
}

TEST_F(RolloutRoutes, RefusesPoliciesAndNamesTheField) {
  const std::pair<const char*, const char*> cases[] = {
      {R"("stages":{})", "stages"},
      {R"("stages":[{"percentage":5},{"percentage":5}])", "stages[1].percentage"},
      {R"("abort_criteria":[{"failure":"bored"}])", "abort_criteria[0]"},
      {R"("abort_criteria":[{"failure":"any","percent_max":101}])", "percent_max"},
      {R"("rate":[])", "rate"},
      {R"("rate":{"in_flight_max":-1})", "in_flight_max"},
      {R"("windows":[{"start":"22:00","minutes":60}])", "time_zone"},
      {R"("windows":[{"start":"25:00","minutes":60,"time_zone":"UTC"}])", "start"},
      {R"("start_at":"tomorrow")", "start_at"},
      {R"("start_at":"2030-01-02T00:00:00Z","end_at":"2030-01-01T00:00:00Z")", "end_at"},
      {R"("end_action":"explode")", "end_action"},
      {R"("attempt_minutes_max":0)", "attempt_minutes_max"},
      {R"("confirm_minutes":"15")", "confirm_minutes"},
      {R"("retries":{"failed":101})", "retries"},
      {R"("retry_pause_minutes":1441)", "retry_pause_minutes"},
      {R"("start_within_seconds":true)", "start_within_seconds"},
  };
  for (const auto& [member, field] : cases) {
    for (const bool creates : {true, false}) {
      const auto refused =
          creates ? send("POST", "/api/admin/rollout/create", body_of("1.1.0", std::string(",") + member))
                  : send("PATCH", "/api/admin/rollout/7", std::string("{") + member + "}");
      EXPECT_EQ(refused.status, 422) << member;
      EXPECT_NE(refused.body.find(field), std::string::npos) << refused.body;
    }
  }
  EXPECT_EQ(rollouts_.created.name, "");
  EXPECT_EQ(rollouts_.last_id, 0);
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
  EXPECT_EQ(survey.at("examples").at("update")[0],
            json({{"device_id", "a"}, {"from", "1.0.0"}, {"to", "1.1.0"}}));
  EXPECT_EQ(survey.at("examples").at("not")[0], json({{"device_id", "b"},
                                                      {"from", "1.1.0"},
                                                      {"reason", "already_current"},
                                                      {"text", "already on 1.1.0"}}));
  EXPECT_TRUE(survey.at("warnings").empty());
  EXPECT_EQ(rollouts_.created.name, "") << "nothing is created";
  EXPECT_EQ(send("POST", "/api/admin/rollout/simulate",
                 R"({"device_model":"esp32","target_type":"all","firmware_version":"7.0.0"})")
                .status,
            422);
}

TEST_F(RolloutRoutes, SimulateWarnsAndRefusesAsCreateDoes) {
  const std::string path = "/api/admin/rollout/simulate";
  const auto nobody =
      send("POST", path, body_of("1.1.0", R"(,"target_filter":{"metadata":{"site":"moon"}})"));
  EXPECT_EQ(nobody.status, 200);
  EXPECT_EQ(json::parse(nobody.body).at("not").at("not_targeted"), 3) << nobody.body;
  EXPECT_NE(nobody.body.find("no device that is known now"), std::string::npos) << nobody.body;
  EXPECT_EQ(send("POST", path, body_of("2.0.0")).status, 422);
  EXPECT_EQ(send("POST", path, "{}").status, 422);
  EXPECT_EQ(send("POST", path, "{").status, 400);
  EXPECT_EQ(send("POST", path,
                 R"({"device_model":"esp32","target_type":"all","firmware_version":"1.1.0",)"
                 R"("windows":[{"start":"22:00","minutes":1,"time_zone":"Mars/One"}]})")
                .status,
            422);
}

TEST_F(RolloutRoutes, SimulateLooksAtEveryPageOfAFleetButTellsFewExamples) {
  devices_.devices.clear();
  for (int i = 0; i < 4500; ++i) devices_.devices.push_back(device(std::to_string(100000 + i), "1.0.0"));
  const auto survey = json::parse(send("POST", "/api/admin/rollout/simulate", body_of("1.1.0")).body);
  EXPECT_EQ(survey.at("devices"), 4500);
  EXPECT_EQ(survey.at("would_update"), 4500);
  EXPECT_EQ(survey.at("examples").at("update").size(), 20U);
}

TEST_F(RolloutRoutes, ANewerRolloutOfTheFleetStillLosesToTheTrial) {
  catalogs_.set(fleet::Catalog({release(1, "1.0.0"), release(2, "1.1.0"), release(3, "1.2.0")},
                               {rollout(1'000'000, "1.2.0")}));
  const auto survey = json::parse(send("POST", "/api/admin/rollout/simulate", body_of("1.1.0")).body);
  EXPECT_EQ(survey.at("would_update"), 2);
}

TEST_F(RolloutRoutes, TheLastPageHasNoCursor) {
  const auto page = json::parse(get_as_admin("/api/admin/rollouts").body);
  EXPECT_EQ(page.at("rollouts").size(), 2U);
  EXPECT_TRUE(page.at("next_cursor").is_null());
  for (const char* query : {"limit=0", "limit=501", "cursor=-1", "device_model=a%2Fb", "state="}) {
    const int status = std::string(query) == "state=" ? 200 : 422;
    EXPECT_EQ(get_as_admin(std::string("/api/admin/rollouts?") + query).status, status) << query;
  }
}

TEST_F(RolloutRoutes, ShowsTheWholeDefinition) {
  auto& row = rollouts_.rows[1];
  row.state = fleet::RolloutState::paused;
  row.halted_json = R"({"why":"3 of 10"})";
  row.rolls_back = 4;
  const auto shown = json::parse(get_as_admin("/api/admin/rollout/7").body);
  EXPECT_EQ(shown.at("name"), "seven");
  EXPECT_EQ(shown.at("is_active"), false);
  EXPECT_EQ(shown.at("policy").at("stages").size(), 2U);
  EXPECT_EQ(shown.at("halted").at("why"), "3 of 10");
  EXPECT_EQ(shown.at("rolls_back"), 4);
  EXPECT_EQ(shown.at("stage").at("why"), "paused");
  EXPECT_TRUE(shown.at("acknowledged_at").is_null());
  EXPECT_TRUE(shown.at("success_rate_percent").is_null()) << "of nothing there is no rate";
  EXPECT_TRUE(shown.at("devices_due").is_null());
  EXPECT_TRUE(shown.at("time_left_seconds").is_null());
}

TEST_F(RolloutRoutes, OrdersAreRefusedByFieldAndState) {
  const std::string why = R"({"why":")" + std::string(501, 'x') + R"("})";
  for (const char* order : {"pause", "resume", "abort", "rollback", "retry", "deactivate"}) {
    const std::string path = std::string("/api/admin/rollout/7/") + order;
    EXPECT_NE(send("POST", path, why).body.find("why must be"), std::string::npos) << order;
    EXPECT_EQ(send("POST", path, R"({"why":7})").status, 422) << order;
    EXPECT_EQ(send("POST", path, R"({"acknowledge":"yes"})").status, 422) << order;
    EXPECT_EQ(send("POST", path, "nonsense").status, 400) << order;
    EXPECT_EQ(send("POST", std::string("/api/admin/rollout/x/") + order).status, 422) << order;
  }
  EXPECT_EQ(send("POST", "/api/admin/rollout/7/retry", R"({"device_id":"a/b"})").status, 422);
  EXPECT_EQ(rollouts_.last_id, 0) << "nothing was ordered";
  rollouts_.failure = fleet::Error{fleet::ErrorKind::conflict, "rollout 7 is finished"};
  EXPECT_EQ(send("POST", "/api/admin/rollout/7/pause").status, 409);
}

TEST_F(RolloutRoutes, RetryOfOneDeviceAlone) {
  const auto answer = json::parse(send("POST", "/api/admin/rollout/7/retry", R"({"device_id":"b"})").body);
  EXPECT_EQ(answer.at("devices"), 1);
  EXPECT_EQ(desk_.last().device_id, "b");
  EXPECT_EQ(send("POST", "/api/admin/rollout/7/retry", R"({"device_id":"nobody"})").status, 404);
  EXPECT_EQ(send("POST", "/api/admin/rollout/8/retry").status, 404);
}

}  // namespace
}  // namespace ota::tests
