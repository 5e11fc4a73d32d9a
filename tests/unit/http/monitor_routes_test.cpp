#include "tests/unit/http/server_fixture.hpp"

namespace ota::tests {
namespace {

using MonitorRoutes = ServerTest;

TEST_F(MonitorRoutes, HealthFollowsTheDatabase) {
  const auto healthy = get("/health");
  EXPECT_EQ(healthy.status, 200);
  EXPECT_EQ(healthy.body,
            R"({"status":"healthy","database":"connected","mqtt":"connected","version":"9.9.9"})");
  fleet_.away = true;
  const auto away = get("/health");
  EXPECT_EQ(away.status, 503);
  EXPECT_NE(away.body.find(R"("status":"unhealthy")"), std::string::npos);
  EXPECT_NE(away.body.find("detail"), std::string::npos);
  fleet_.away = false;
  EXPECT_EQ(get("/health").status, 200);
}

TEST_F(MonitorRoutes, MetricsAreJsonForAPlainClient) {
  for (const Headers& headers :
       {Headers{}, Headers{{"Accept", "*/*"}}, Headers{{"Accept", "application/json, text/plain"}}}) {
    EXPECT_EQ(
        get("/metrics", headers).body,
        R"({"total_devices":3,"devices_by_model":{"esp32":2,"esp8266":1},"recent_updates_24h":{"success":5},)"
        R"("active_rollouts":1,"devices_online":2})");
  }
}

TEST_F(MonitorRoutes, MetricsAreTextExpositionForAScraper) {
  const Headers scraper = {
      {"Accept", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"}};
  for (const auto& answer : {get("/metrics", scraper), get("/metrics?format=prometheus")}) {
    EXPECT_EQ(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_NE(answer.body.find("ota_devices{model=\"esp32\"} 2\n"), std::string::npos);
    EXPECT_NE(answer.body.find("ota_updates_24h{status=\"success\"} 5\n"), std::string::npos);
    EXPECT_NE(answer.body.find("extra 1\n"), std::string::npos);
  }
  EXPECT_EQ(get("/metrics?format=json", scraper).header("content-type"), "application/json");
}

TEST_F(MonitorRoutes, MetricsWithoutADatabaseAre503) {
  fleet_.away = true;
  EXPECT_EQ(get("/metrics").status, 503);
}

}  // namespace
}  // namespace ota::tests
