// A survey and the offers that are really made agree on any fleet: both are the one decision.
#include "fleet/survey.hpp"

#include <gtest/gtest.h>

#include <random>

#include "fleet/device_flow.hpp"
#include "tests/support/fleet_builders.hpp"

namespace ota::fleet {
namespace {

class RandomFleet {
 public:
  explicit RandomFleet(unsigned seed) : random_(seed) {}

  Catalog catalog() {
    std::vector<Release> releases;
    for (int i = 0; i < 6; ++i) {
      const auto version = "1." + std::to_string(i) + ".0";
      releases.push_back(
          tests::release(i + 1, version, chance(30) && i > 1 ? "1." + std::to_string(i - 1) + ".0" : ""));
      releases.back().withdrawn = chance(10);
      releases.back().aborted = chance(10);
      if (chance(60)) releases.back().manifest = "signed";
    }
    std::vector<Rollout> rollouts;
    for (int id = 1; id <= 4; ++id) rollouts.push_back(rollout(id));
    return {std::move(releases), std::move(rollouts), {.frozen = chance(3), .signed_only = chance(20)}};
  }

  Rollout rollout(std::int64_t id) {
    auto made = tests::rollout(id, "1." + std::to_string(number(6)) + ".0");
    constexpr TargetType kTypes[] = {TargetType::all, TargetType::canary, TargetType::specific,
                                     TargetType::group};
    made.target.type = kTypes[number(4)];
    made.target.percentage = number(101);
    if (chance(30)) made.target.salt = "s" + std::to_string(id);
    made.target.groups = {"g" + std::to_string(number(3))};
    for (int i = 0; i < 20; ++i) made.target.device_ids.push_back(id_of(number(100)));
    if (chance(20)) made.target.exclude_device_ids = {id_of(number(100)), id_of(number(100))};
    made.allow_downgrade = chance(20);
    made.state = chance(20) ? RolloutState::paused : RolloutState::running;
    if (chance(10)) made.target.metadata = JsonValue{JsonValue::Object{{"site", JsonValue{"moon"}}}};
    if (chance(10)) made.state = RolloutState::scheduled;
    if (chance(20)) made.rolls_back = 1 + number(static_cast<int>(id));
    if (chance(20)) made.policy.windows = {{{true, true, true, true, true, true, true}, 0, 1, "UTC"}};
    return made;
  }

  Device device(int index) {
    auto made = tests::device(id_of(index), "1." + std::to_string(number(6)) + ".0");
    made.metadata.value =
        JsonValue::Object{{"groups", {JsonValue::Array{{"g" + std::to_string(number(3))}}}}};
    made.hold = chance(5);
    if (chance(10)) made.pinned_version = "1." + std::to_string(number(6)) + ".0";
    if (chance(30)) std::get<JsonValue::Object>(made.metadata.value).emplace("site", JsonValue{"moon"});
    made.on_mqtt = !chance(5);
    if (chance(30)) made.offer = ended_offer();
    return made;
  }

 private:
  // Of a rollout that is there or not any more, perhaps failed and waiting.
  Offer ended_offer() {
    Offer offer;
    offer.rollout_id = 1 + number(9);
    offer.version = "1." + std::to_string(number(6)) + ".0";
    offer.origin_version = "1." + std::to_string(number(6)) + ".0";
    offer.open = false;
    offer.taken = true;
    offer.failed_attempts = number(5);
    if (offer.failed_attempts > 0) {
      offer.last_failure = static_cast<FailureKind>(number(kCountedFailureKinds));
      if (chance(50)) offer.retry_at = Time(std::chrono::hours(number(14)));
    }
    return offer;
  }

  static std::string id_of(int index) { return "dev-" + std::to_string(index); }
  int number(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
  bool chance(int percent) { return number(100) < percent; }

  std::mt19937 random_;
};

TEST(Survey, AgreesWithTheOffersThatAreReallyMade) {
  std::int64_t updates = 0;
  for (unsigned seed = 1; seed <= 200; ++seed) {
    RandomFleet fleet(seed);
    const auto before = fleet.catalog();
    const auto wanted = fleet.rollout(9);
    const auto catalog = std::make_shared<const Catalog>(before.with(wanted));
    Survey survey(*catalog, 9, tests::circumstances(Time(std::chrono::hours(7))));
    std::map<std::string, std::int64_t> offered;
    for (int i = 0; i < 100; ++i) {
      DeviceWork work;
      work.device = fleet.device(i);
      survey.add(work.device);
      std::int64_t next_id = 1;
      SlotBudget slots([](std::int64_t, const PushRate&) { return Expected<int>(0); });
      const FlowContext context{catalog, tests::circumstances(Time(std::chrono::hours(7))),
                                [&] { return Expected<std::int64_t>(next_id++); }, &slots};
      const auto decision = settle_offer(work, context);
      ASSERT_TRUE(decision);
      const auto* update = std::get_if<Update>(&*decision);
      const bool gets_it = update != nullptr && update->rollout->id == 9;
      if (gets_it) ++offered[update->release->version];
      const auto& offer = work.device.offer;
      const bool stands = offer && offer->is_standing() && offer->rollout_id == 9;
      // Devices only seen on REST are told when they ask.
      EXPECT_EQ(stands, gets_it && work.device.on_mqtt) << "seed " << seed << " device " << i;
      if (stands && gets_it) {
        EXPECT_EQ(offer->version, update->release->version);
      }
    }
    EXPECT_EQ(survey.by_version, offered) << "seed " << seed;
    EXPECT_EQ(survey.devices, 100);
    updates += survey.would_update;
  }
  EXPECT_GT(updates, 100) << "the fleets must not all be idle";
}

}  // namespace
}  // namespace ota::fleet
