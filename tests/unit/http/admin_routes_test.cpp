#include <nlohmann/json.hpp>

#include "tests/unit/http/server_fixture.hpp"

namespace ota::tests {
namespace {

using AdminRoutes = ServerTest;

TEST_F(AdminRoutes, ListsReleases) {
  releases_.rows = {{"1.1.0", "esp32", "x.bin", 5, "ab", true, "2026-01-02T03:04:05+00:00", "notes", true},
                    {"1.0.0", "esp8266", "y.bin", 6, "cd", false, "", ""}};
  releases_.rows[1].withdrawn_at = "2026-02-02T03:04:05+00:00";
  EXPECT_EQ(
      get_as_admin("/api/admin/firmware/releases").body,
      R"({"releases":[{"version":"1.1.0","device_model":"esp32","file_size":5,"checksum_sha256":"ab",)"
      R"("is_signed":true,"created_at":"2026-01-02T03:04:05+00:00","release_notes":"notes","verified":true,"image":null,"forced":null,"manifest":null,"withdrawn_at":null},)"
      R"({"version":"1.0.0","device_model":"esp8266","file_size":6,"checksum_sha256":"cd",)"
      R"("is_signed":false,"created_at":null,"release_notes":null,"verified":false,"image":null,"forced":null,"manifest":null,"withdrawn_at":"2026-02-02T03:04:05+00:00"}]})");
  const auto one = nlohmann::json::parse(get_as_admin("/api/admin/firmware/releases?limit=1").body);
  EXPECT_EQ(one.at("releases").size(), 1U);
  const auto model =
      nlohmann::json::parse(get_as_admin("/api/admin/firmware/releases?device_model=esp8266").body);
  EXPECT_EQ(model.at("releases")[0].at("version"), "1.0.0");
}

TEST_F(AdminRoutes, TheListOfReleasesTellsWhatTheNextManifestHasToBeat) {
  releases_.rows = {{"1.1.0", "esp32", "x.bin", 5, "ab", true, "", "", true},
                    {"1.0.0", "esp32", "y.bin", 6, "cd", true, "", "", true},
                    {"0.9.0", "esp32", "z.bin", 6, "cd", true, "", "", true}};
  const std::string text =
      "ota-manifest-v1\nmodel=esp32\nversion=1.1.0\nsequence=7\nsize=5\nsha256=" + std::string(64, 'a') +
      "\n";
  releases_.rows[0].manifest = text + "expires=1767323045\nkey=prod-1\nsignature=AAAA\n";
  releases_.rows[1].manifest = text + "key=prod-1\nsignature=AAAA\n";
  releases_.rows[2].manifest = "of an unknown format";
  const auto listed = nlohmann::json::parse(get_as_admin("/api/admin/firmware/releases").body).at("releases");
  EXPECT_EQ(listed[0].at("manifest"),
            nlohmann::json(
                {{"sequence", 7}, {"key_id", "prod-1"}, {"expires", "2026-01-02T03:04:05.000000+00:00"}}));
  EXPECT_TRUE(listed[1].at("manifest").at("expires").is_null());
  EXPECT_TRUE(listed[2].at("manifest").is_null());
}

TEST_F(AdminRoutes, ListsDevicesAndUpdates) {
  EXPECT_EQ(
      get_as_admin("/api/admin/devices").body,
      R"({"devices":[{"device_id":"esp32_001","device_model":"esp32","current_firmware_version":"1.0.0",)"
      R"("last_seen":"2026-01-02T03:04:05+00:00","created_at":null}]})");
  EXPECT_EQ(fleet_.asked, "/50");
  get_as_admin("/api/admin/devices?device_model=esp32&limit=500");
  EXPECT_EQ(fleet_.asked, "esp32/500");
  EXPECT_EQ(get_as_admin("/api/admin/update-status?device_id=esp32_001&firmware_version=1.1.0&limit=3").body,
            R"({"updates":[{"device_id":"esp32_001","firmware_version":"1.1.0","status":"failed",)"
            R"("error_message":"flash error","progress_percent":40,"started_at":"a","completed_at":null,)"
            R"("reported_at":"c"}]})");
  EXPECT_EQ(fleet_.asked, "esp32_001/1.1.0/3");
}

TEST_F(AdminRoutes, ListsGoOnWhereThePageBeforeEnded) {
  const auto page = [&](const std::string& target) {
    return nlohmann::json::parse(get_as_admin(target).body);
  };
  for (const char* list : {"/api/admin/devices?limit=1", "/api/admin/update-status?limit=1"}) {
    fleet_.next = fleet::ListCursor{17, 5, 3, 9, 1};
    const auto cursor = page(list).at("next_cursor").get<std::string>();
    fleet_.next.reset();
    EXPECT_FALSE(page(std::string(list) + "&cursor=" + cursor).contains("next_cursor")) << "the last page";
    EXPECT_EQ(to_text(fleet_.after, fleet::List::devices), "d17.5.3.9.1");
    page(list);
    EXPECT_EQ(fleet_.after.cut, fleet::ListCursor::kForever) << "the first page";
  }
}

TEST_F(AdminRoutes, ACursorThatIsNotOursIs422) {
  const auto device_cursor = to_text(fleet::ListCursor{}, fleet::List::devices);
  for (const std::string list : {"firmware/releases", "update-status", "devices"}) {
    for (const std::string& cursor :
         {std::string("x"), std::string("5"), std::string("d1.2.3.4"), device_cursor}) {
      if (list == "devices" && cursor == device_cursor) continue;
      const auto answer = get_as_admin("/api/admin/" + list + "?cursor=" + cursor);
      EXPECT_EQ(answer.status, 422) << list << cursor;
      EXPECT_NE(answer.body.find("next_cursor of the page before"), std::string::npos);
    }
  }
}

TEST_F(AdminRoutes, CreatesARollout) {
  const auto answer = post_as_admin("/api/admin/rollout/create",
                                    R"({"name":"r","firmware_version":"1.1.0","device_model":"esp32",
                                        "target_type":"canary","rollout_percentage":10})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, R"({"status":"ok","message":"Rollout created successfully","id":41})");
  EXPECT_EQ(rollouts_.created.name, "r");
  EXPECT_EQ(rollouts_.created.percentage, 10);
}

TEST_F(AdminRoutes, PatchesAndDeactivates) {
  rollouts_.rows.resize(1);
  rollouts_.rows[0].id = 7;
  rollouts_.outcome.state = fleet::RolloutState::finished;
  const auto patched =
      call(port(), "PATCH", "/api/admin/rollout/7", {{"X-API-Key", kKey}}, R"({"rollout_percentage":25})");
  EXPECT_EQ(patched.body, R"({"status":"ok","message":"Rollout updated successfully"})");
  EXPECT_EQ(rollouts_.last_id, 7);
  EXPECT_EQ(rollouts_.patched.percentage, 25);
  const auto ended = call(port(), "POST", "/api/admin/rollout/8/deactivate", {{"X-API-Key", kKey}});
  EXPECT_EQ(ended.body, R"({"status":"ok","message":"Rollout deactivated successfully","state":"finished"})");
  EXPECT_EQ(rollouts_.ordered.command, fleet::RolloutCommand::finish);
  EXPECT_EQ(rollouts_.last_id, 8);
}

TEST_F(AdminRoutes, StoreErrorsHaveTheirStatus) {
  const std::pair<fleet::ErrorKind, int> cases[] = {
      {fleet::ErrorKind::invalid, 422},  {fleet::ErrorKind::not_found, 404},
      {fleet::ErrorKind::conflict, 409}, {fleet::ErrorKind::unavailable, 503},
      {fleet::ErrorKind::in_doubt, 503}, {fleet::ErrorKind::internal, 500},
  };
  for (const auto& [kind, status] : cases) {
    rollouts_.failure = fleet::Error{kind, "why"};
    EXPECT_EQ(call(port(), "POST", "/api/admin/rollout/8/deactivate", {{"X-API-Key", kKey}}).status, status);
  }
}

}  // namespace
}  // namespace ota::tests
