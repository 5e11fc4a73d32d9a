// Where only signed releases are offered, no rollout of an unsigned one is begun.
#include <nlohmann/json.hpp>

#include "tests/unit/http/server_fixture.hpp"

namespace ota::tests {
namespace {

using nlohmann::json;

constexpr char kUnsigned[] =
    R"({"name":"r","firmware_version":"1.1.0","device_model":"esp32","target_type":"all"})";
constexpr char kWayOut[] = "add one by POST /api/admin/firmware/1.1.0/manifest?device_model=esp32";

class SignedOnly : public ServerTest {
 protected:
  SignedOnly() {
    options_.require_signed = true;
    devices_.devices = {device("d1", "1.0.0")};
    rollouts_.rows.resize(1);
    rollouts_.rows[0].id = 7;
    rollouts_.rows[0].version = "1.1.0";
    rollouts_.rows[0].model = "esp32";
    set_catalog(/*with_manifest=*/false);
  }
  void set_catalog(bool with_manifest) {
    auto newest = release(2, "1.1.0");
    if (with_manifest) newest.manifest = "signed";
    auto paused = rollout(7, "1.1.0");
    paused.state = fleet::RolloutState::paused;
    catalogs_.set(fleet::Catalog({release(1, "1.0.0"), newest}, {paused}, {.signed_only = true}));
  }
  Reply patch(const std::string& body) {
    return call(port(), "PATCH", "/api/admin/rollout/7", {{"X-API-Key", kKey}}, body);
  }
};

TEST_F(SignedOnly, AnUnsignedReleaseIsNotRolledOutAndTheWayOutIsTold) {
  for (const auto& answer :
       {post_as_admin("/api/admin/rollout/create", kUnsigned),
        post_as_admin("/api/admin/devices/d1/offer", ""), post_as_admin("/api/admin/rollout/7/resume", ""),
        patch(R"({"is_active":true})")}) {
    EXPECT_EQ(answer.status, 409) << answer.body;
    EXPECT_NE(answer.body.find(kWayOut), std::string::npos) << answer.body;
  }
  EXPECT_EQ(rollouts_.created.name, "");
  EXPECT_EQ(rollouts_.last_id, 0);
}

TEST_F(SignedOnly, ItMayStillBeHalted) {
  EXPECT_EQ(post_as_admin("/api/admin/rollout/7/pause", "").status, 200);
  EXPECT_EQ(post_as_admin("/api/admin/rollout/7/abort", "").status, 200);
  EXPECT_EQ(post_as_admin("/api/admin/rollout/7/rollback", "").status, 200);
  EXPECT_EQ(post_as_admin("/api/admin/rollout/7/deactivate", "").status, 200);
  EXPECT_EQ(patch(R"({"is_active":false})").status, 200);
}

TEST_F(SignedOnly, SimulatingAndExplainingSayWhatIsMissing) {
  const auto survey = json::parse(post_as_admin("/api/admin/rollout/simulate", kUnsigned).body);
  EXPECT_EQ(survey.at("not").at("not_signed"), 1) << survey;
  EXPECT_NE(survey.at("warnings").dump().find(kWayOut), std::string::npos) << survey;
  auto running = rollout(7, "1.1.0");
  catalogs_.set(fleet::Catalog({release(2, "1.1.0")}, {running}, {.signed_only = true}));
  const auto explained = json::parse(get_as_admin("/api/admin/devices/d1/explain").body);
  EXPECT_EQ(explained.at("reason"), "not_signed");
  EXPECT_EQ(explained.at("blocks")[0].at("reason"), "not_signed");
}

TEST_F(SignedOnly, ASignedReleaseIsRolledOut) {
  set_catalog(/*with_manifest=*/true);
  EXPECT_EQ(post_as_admin("/api/admin/rollout/create", kUnsigned).status, 200);
  EXPECT_EQ(post_as_admin("/api/admin/rollout/7/resume", "").status, 200);
  EXPECT_EQ(patch(R"({"is_active":true})").status, 200);
}

}  // namespace
}  // namespace ota::tests
