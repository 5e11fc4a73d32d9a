#include "fleet/decide.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "tests/support/fleet_builders.hpp"

namespace ota::fleet {
namespace {

using tests::device;
using tests::release;
using tests::rollout;

Decision decide_for(const Device& one, const Catalog& catalog) {
  return decide(one, catalog, tests::circumstances());
}

std::string version_offered(const Decision& decision) {
  const auto* update = std::get_if<Update>(&decision);
  return update == nullptr ? "none" : update->release->version;
}

Reason reason_of(const Decision& decision) {
  return std::get<NoUpdate>(decision).reason;
}

Rollout canary(std::int64_t id, std::string version, int percentage) {
  auto made = rollout(id, std::move(version));
  made.target.type = TargetType::canary;
  made.target.percentage = percentage;
  return made;
}

TEST(Decide, SaysWhyThereIsNothing) {
  const Catalog none({release(1, "1.1.0")}, {});
  EXPECT_EQ(reason_of(decide_for(device("a", "1.0.0"), none)), Reason::no_rollout);
  const Catalog nobody({release(1, "1.1.0")}, {canary(1, "1.1.0", 0)});
  EXPECT_EQ(reason_of(decide_for(device("a", "1.0.0"), nobody)), Reason::not_targeted);
  const Catalog all({release(1, "1.1.0")}, {rollout(1, "1.1.0")});
  EXPECT_EQ(reason_of(decide_for(device("a", "v1.1"), all)), Reason::already_current);
  EXPECT_EQ(reason_of(decide_for(device("a", "1.2.0"), all)), Reason::newer_than_rollout);
  EXPECT_EQ(version_offered(decide_for(device("a", "1.0.0"), all)), "1.1.0");
}

TEST(Decide, CanaryOfTheNewerLeavesTheRestOnTheOlderRollout) {
  const Catalog catalog({release(1, "1.1.0"), release(2, "1.2.0")},
                        {rollout(1, "1.1.0"), canary(2, "1.2.0", 20)});
  EXPECT_EQ(version_offered(decide_for(device("esp32_002", "1.0.0"), catalog)), "1.2.0");  // bucket 12
  EXPECT_EQ(version_offered(decide_for(device("esp32_001", "1.0.0"), catalog)), "1.1.0");  // bucket 69
}

TEST(Decide, PausedOrHeldNeverFallsThroughToAnOlderRollout) {
  auto newer = rollout(2, "1.2.0");
  newer.state = RolloutState::paused;
  const Catalog paused({release(1, "1.1.0"), release(2, "1.2.0")}, {rollout(1, "1.1.0"), newer});
  EXPECT_EQ(reason_of(decide_for(device("a", "1.0.0"), paused)), Reason::paused);

  const Catalog running({release(1, "1.1.0"), release(2, "1.2.0")},
                        {rollout(1, "1.1.0"), rollout(2, "1.2.0")});
  auto failing = device("a", "1.0.0");
  failing.offer.emplace();
  failing.offer->rollout_id = 2;
  failing.offer->failed_attempts = 2;
  EXPECT_EQ(version_offered(decide_for(failing, running)), "1.2.0");
  failing.offer->failed_attempts = 3;
  EXPECT_EQ(reason_of(decide_for(failing, running)), Reason::held);
}

TEST(Decide, PassesOverRolloutsWithoutAnOfferableRelease) {
  auto withdrawn = release(2, "1.2.0");
  withdrawn.withdrawn = true;
  const Catalog catalog({release(1, "1.1.0"), withdrawn},
                        {rollout(1, "1.1.0"), rollout(2, "1.2.0"), rollout(3, "9.9.9")});
  EXPECT_EQ(version_offered(decide_for(device("a", "1.0.0"), catalog)), "1.1.0");
}

TEST(Decide, DowngradesOnlyWhenTheRolloutSaysSo) {
  auto back = rollout(1, "1.0.0");
  back.allow_downgrade = true;
  const Catalog catalog({release(1, "1.0.0"), release(2, "1.1.0")}, {back});
  EXPECT_EQ(version_offered(decide_for(device("a", "1.1.0"), catalog)), "1.0.0");
}

TEST(Decide, WalksAChainOfMinVersionsOfAnyLength) {
  const Catalog catalog({release(1, "1.0.0"), release(2, "1.5.0", "1.0.0"), release(3, "2.0.0", "1.5.0"),
                         release(4, "3.0.0", "2.0.0"), release(5, "2.5.0-rc.1", "1.0.0")},
                        {rollout(1, "3.0.0")});
  EXPECT_EQ(version_offered(decide_for(device("a", "0.9.0"), catalog)), "1.0.0");
  EXPECT_EQ(version_offered(decide_for(device("a", "1.0.0"), catalog)), "1.5.0");
  EXPECT_EQ(version_offered(decide_for(device("a", "1.5.0"), catalog)), "2.0.0");
  EXPECT_EQ(version_offered(decide_for(device("a", "2.0.0"), catalog)), "3.0.0");
}

TEST(Decide, TakesNoStepThatLeadsNowhere) {
  // 1.9.0 is the highest below 2.0.0 but cannot be installed from 1.0.0; 1.5.0 can and leads there.
  const Catalog catalog({release(1, "1.5.0"), release(2, "1.9.0", "1.8.0"), release(3, "2.0.0", "1.5.0")},
                        {rollout(1, "2.0.0")});
  EXPECT_EQ(version_offered(decide_for(device("a", "1.0.0"), catalog)), "1.5.0");
}

Release signed_release(std::int64_t id, std::string version, std::int64_t sequence,
                       std::string min_version = "") {
  auto made = release(id, std::move(version), std::move(min_version));
  made.sequence = sequence;
  return made;
}

TEST(Decide, OffersNoManifestThatTheDeviceWouldRefuse) {
  const Catalog catalog({signed_release(1, "1.0.0", 12), signed_release(2, "1.1.0", 11)},
                        {rollout(1, "1.1.0")});
  EXPECT_EQ(reason_of(decide_for(device("a", "1.0.0"), catalog)), Reason::manifest_too_old);
  EXPECT_EQ(version_offered(decide_for(device("a", "0.9.0"), catalog)), "1.1.0")
      << "nothing signed runs there";
}

Release as_withdrawn(Release made) {
  made.withdrawn = true;
  return made;
}

TEST(Decide, AManifestIsTooOldAlsoForADeviceThatRunsAWithdrawnRelease) {
  auto back = rollout(1, "1.1.0");
  back.allow_downgrade = true;
  const Catalog catalog({signed_release(1, "1.1.0", 3), as_withdrawn(signed_release(2, "1.2.0", 5))}, {back});
  EXPECT_EQ(reason_of(decide_for(device("a", "1.2.0"), catalog)), Reason::manifest_too_old);
  EXPECT_TRUE(would_refuse("1.2.0", *catalog.find_release("esp32", "1.1.0"), catalog));
}

TEST(Decide, TheUploadTimeOfAWithdrawnReleaseStillOrdersIt) {
  const Catalog catalog({release(1, "night-1"), as_withdrawn(release(2, "night-2")), release(3, "night-3")},
                        {rollout(1, "night-1")});
  EXPECT_EQ(reason_of(decide_for(device("a", "night-2"), catalog)), Reason::newer_than_rollout);

  const Catalog least(
      {as_withdrawn(release(1, "night-1")), release(2, "night-2"), release(3, "night-3", "night-1")},
      {rollout(1, "night-3")});
  EXPECT_EQ(version_offered(decide_for(device("a", "night-2"), least)), "night-3");
}

TEST(Decide, WhereOnlySignedReleasesAreOfferedAnUnsignedOneIsNoStepEither) {
  auto target = release(3, "2.0.0", "1.5.0");
  auto step = release(2, "1.5.0");
  std::optional<Catalog> catalog;  // outlives the decision, which points into it
  const auto decided = [&] {
    catalog.emplace(std::vector<Release>{release(1, "1.0.0"), step, target},
                    std::vector<Rollout>{rollout(1, "2.0.0")}, FleetRules{.signed_only = true});
    return decide_for(device("a", "1.0.0"), *catalog);
  };
  const auto refused = std::get<NoUpdate>(decided());
  EXPECT_EQ(refused.reason, Reason::not_signed);
  EXPECT_NE(refused.text.find("2.0.0 has no signed manifest"), std::string::npos) << refused.text;
  target.manifest = "signed";
  EXPECT_EQ(reason_of(decided()), Reason::no_way_to_version);
  step.manifest = "signed";
  EXPECT_EQ(version_offered(decided()), "1.5.0");
}

TEST(Decide, EveryReasonHasItsOwnName) {
  EXPECT_EQ(to_string(Reason::waits_its_turn), "waits_its_turn");
  EXPECT_EQ(to_string(Reason::not_signed), "not_signed");
  EXPECT_EQ(to_string(Reason::manifest_too_old), "manifest_too_old");
  EXPECT_EQ(to_string(Reason::cannot_compare), "cannot_compare");
  EXPECT_FALSE(is_passing(Reason::not_signed)) << "somebody has to sign it first";
}

TEST(Decide, ANewerManifestOpensTheWayBack) {
  auto back = rollout(1, "1.0.0");
  back.allow_downgrade = true;
  const Catalog catalog({signed_release(1, "1.0.0", 12), signed_release(2, "1.1.0", 11)}, {back});
  EXPECT_EQ(version_offered(decide_for(device("a", "1.1.0"), catalog)), "1.0.0");
}

TEST(Decide, StepsOnlyOverRisingSequences) {
  // 1.5.0 was signed again, with a higher sequence than 2.0.0's; 1.4.0 still leads there.
  const Catalog catalog({signed_release(1, "1.0.0", 1), signed_release(2, "1.4.0", 4, "1.0.0"),
                         signed_release(3, "1.5.0", 9, "1.0.0"), signed_release(4, "2.0.0", 6, "1.4.0")},
                        {rollout(1, "2.0.0")});
  EXPECT_EQ(version_offered(decide_for(device("a", "1.0.0"), catalog)), "1.4.0");
}

TEST(Decide, NamesDeadEndsAndIncomparableVersions) {
  const Catalog catalog({release(1, "2.0.0", "1.5.0")}, {rollout(1, "2.0.0")});
  EXPECT_EQ(reason_of(decide_for(device("a", "1.0.0"), catalog)), Reason::no_way_to_version);
  EXPECT_EQ(reason_of(decide_for(device("a", "nightly"), catalog)), Reason::cannot_compare);
}

TEST(Decide, OrdersNonSemanticVersionsByUploadWhereBothAreKnown) {
  const Catalog catalog({release(1, "spring"), release(2, "summer")}, {rollout(1, "spring")});
  EXPECT_EQ(reason_of(decide_for(device("a", "summer"), catalog)), Reason::newer_than_rollout);
  EXPECT_EQ(version_offered(decide_for(device("a", "unheard-of"), catalog)), "spring");
}

TEST(Catalog, LatestIsTheHighestSemanticVersionThatIsNotWithdrawn) {
  auto withdrawn = release(4, "3.0.0");
  withdrawn.withdrawn = true;
  const Catalog catalog({release(1, "1.10.0"), release(2, "1.9.0"), release(3, "nightly"), withdrawn}, {});
  EXPECT_EQ(catalog.latest("esp32")->version, "1.10.0");
  const Catalog words({release(1, "spring"), release(2, "autumn")}, {});
  EXPECT_EQ(words.latest("esp32")->version, "autumn");
  EXPECT_EQ(words.latest("other"), nullptr);
}

TEST(Decide, AScheduledRolloutIsNotLookedAtYet) {
  auto later = rollout(2, "1.2.0");
  later.state = RolloutState::scheduled;
  const Catalog catalog({release(1, "1.1.0"), release(2, "1.2.0")}, {rollout(1, "1.1.0"), later});
  EXPECT_EQ(version_offered(decide_for(device("a", "1.0.0"), catalog)), "1.1.0");
}

TEST(Decide, AFreezeOrAHoldOrAClosedWindowKeepsAnUpdateBack) {
  const Catalog frozen({release(1, "1.1.0")}, {rollout(1, "1.1.0")}, {.frozen = true});
  EXPECT_EQ(reason_of(decide_for(device("a", "1.0.0"), frozen)), Reason::frozen);
  EXPECT_EQ(reason_of(decide_for(device("a", "1.1.0"), frozen)), Reason::already_current);

  const Catalog catalog({release(1, "1.1.0")}, {rollout(1, "1.1.0")});
  auto on_hold = device("a", "1.0.0");
  on_hold.hold = true;
  EXPECT_EQ(reason_of(decide_for(on_hold, catalog)), Reason::on_hold);

  auto nightly = rollout(1, "1.1.0");
  nightly.policy.windows = {{{true, true, true, true, true, true, true}, 120, 60, "UTC"}};
  const Catalog windows({release(1, "1.1.0")}, {nightly});
  const auto at = [&](std::chrono::minutes minute) {
    return decide(device("a", "1.0.0"), windows, tests::circumstances(Time(minute)));
  };
  EXPECT_EQ(reason_of(at(std::chrono::minutes(119))), Reason::outside_window);
  EXPECT_EQ(version_offered(at(std::chrono::minutes(120))), "1.1.0");
}

TEST(Decide, APinnedDeviceIsOnlyInRolloutsOfItsVersion) {
  const Catalog catalog({release(1, "1.1.0"), release(2, "1.2.0")},
                        {rollout(1, "1.1.0"), rollout(2, "1.2.0")});
  auto pinned = device("a", "1.0.0");
  pinned.pinned_version = "1.1.0";
  EXPECT_EQ(version_offered(decide_for(pinned, catalog)), "1.1.0");
  pinned.pinned_version = "0.9.0";
  const auto away = decide_for(pinned, catalog);
  EXPECT_EQ(reason_of(away), Reason::not_targeted);
  EXPECT_EQ(std::get<NoUpdate>(away).text, "pinned to 0.9.0, and no active rollout brings it there");
  pinned.version = "0.9.0";
  EXPECT_EQ(std::get<NoUpdate>(decide_for(pinned, catalog)).text, "pinned to 0.9.0, which it runs");
}

TEST(Decide, TargetsOfAbortedRolloutsAreNoStepOnTheWay) {
  auto bad = release(2, "1.1.0");
  const Catalog through({release(1, "1.0.0"), bad, release(3, "1.2.0", "1.1.0")}, {rollout(1, "1.2.0")});
  EXPECT_EQ(version_offered(decide_for(device("a", "1.0.0"), through)), "1.1.0");
  bad.aborted = true;
  const Catalog blocked({release(1, "1.0.0"), bad, release(3, "1.2.0", "1.1.0")}, {rollout(1, "1.2.0")});
  EXPECT_EQ(reason_of(decide_for(device("a", "1.0.0"), blocked)), Reason::no_way_to_version);
}

TEST(Decide, TellsWhichRolloutsItLookedAt) {
  const Catalog catalog({release(1, "1.1.0"), release(2, "1.2.0")},
                        {rollout(1, "1.1.0"), canary(2, "1.2.0", 20)});
  std::vector<Considered> considered;
  (void)decide(device("esp32_001", "1.0.0"), catalog, tests::circumstances(), &considered);
  ASSERT_EQ(considered.size(), 2U);
  EXPECT_EQ(considered[0].membership, Membership::bucket_above);
  EXPECT_EQ(considered[1].membership, Membership::in);
}

TEST(IsDue, CountsWhoWillBeReachedAndHasNotBegun) {
  auto paused = rollout(1, "1.1.0");
  paused.state = RolloutState::paused;
  const Catalog catalog({release(1, "1.1.0")}, {paused});
  const auto due = [&](const Device& one) { return is_due(one, paused, decide_for(one, catalog)); };
  EXPECT_TRUE(due(device("a", "1.0.0")));
  EXPECT_FALSE(due(device("a", "1.1.0")));
  auto begun = device("a", "1.0.0");
  begun.offer.emplace();
  begun.offer->rollout_id = 1;
  EXPECT_TRUE(due(begun));
  begun.offer->taken = true;
  EXPECT_FALSE(due(begun));
}

}  // namespace
}  // namespace ota::fleet
