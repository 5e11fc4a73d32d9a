#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

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

TEST_F(MonitorRoutes, AStartThatCannotListenSaysWhetherAddressOrPortIsTheTrouble) {
  options_.host = "no host";
  EXPECT_NE(start_problem().find("HOST is no address or name"), std::string::npos) << start_problem();
  options_.host = "192.0.2.1";
  EXPECT_NE(start_problem().find("HOST is no address of this machine"), std::string::npos) << start_problem();
}

TEST_F(MonitorRoutes, AStartOnATakenPortSaysSo) {
  const int other = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  ASSERT_EQ(::bind(other, reinterpret_cast<const sockaddr*>(&address), length), 0);
  ASSERT_EQ(::listen(other, 1), 0);
  ASSERT_EQ(::getsockname(other, reinterpret_cast<sockaddr*>(&address), &length), 0);
  options_.port = ntohs(address.sin_port);
  EXPECT_NE(start_problem().find("is another program using the port?"), std::string::npos) << start_problem();
  ::close(other);
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

TEST_F(MonitorRoutes, WhereTheDatabaseLivesIsNotToldToStrangers) {
  fleet_.away = true;
  const auto answer = get("/metrics");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, R"({"detail":"the database does not answer; try again"})");
}

TEST_F(MonitorRoutes, HealthSaysWhenNoBrokerIsWanted) {
  health_.mqtt = "off";
  EXPECT_NE(get("/health").body.find(R"("mqtt":"off")"), std::string::npos);
}

}  // namespace
}  // namespace ota::tests
