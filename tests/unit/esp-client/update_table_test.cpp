#include "esp-client/core/update_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "esp-client/core/update_machine.hpp"

namespace ota::device {
namespace {

State state_at(std::size_t i) {
  return static_cast<State>(i);
}
EventKind event_at(std::size_t i) {
  return static_cast<EventKind>(i);
}

TEST(UpdateTable, NothingHappensAfterTheRebootIsOrdered) {
  for (std::size_t event = 0; event < kEventCount; ++event) {
    EXPECT_EQ(step_for(event_at(event), State::kRebooting), Step::kDrop) << event_name(event_at(event));
  }
}

TEST(UpdateTable, NothingFromTheServerTouchesAnInstallation) {
  for (const EventKind event : {EventKind::kHint, EventKind::kOffer, EventKind::kBadOffer,
                                EventKind::kNoUpdate, EventKind::kWithdrawn}) {
    EXPECT_EQ(step_for(event, State::kInstalling), Step::kDrop) << event_name(event);
    EXPECT_EQ(step_for(event, State::kTrial), Step::kDrop) << event_name(event);
  }
}

TEST(UpdateTable, AKeptOfferNeverStartsAnything) {
  for (std::size_t state = 0; state < kStateCount; ++state) {
    const Step step = step_for(EventKind::kHint, state_at(state));
    EXPECT_TRUE(step == Step::kAsk || step == Step::kDrop) << state_name(state_at(state));
  }
}

TEST(UpdateTable, NoUpdateNeverStopsARunningDownload) {
  EXPECT_EQ(step_for(EventKind::kNoUpdate, State::kLoading), Step::kSettle);
  EXPECT_EQ(step_for(EventKind::kNoUpdate, State::kWaiting), Step::kSettle);
}

TEST(UpdateTable, AnAckIsHeardInEveryStateButTheLast) {
  for (std::size_t state = 0; state < kStateCount; ++state) {
    if (state_at(state) == State::kRebooting) continue;
    const Step step = step_for(EventKind::kAck, state_at(state));
    EXPECT_TRUE(step == Step::kAck || step == Step::kAckInstall) << state_name(state_at(state));
  }
}

TEST(UpdateTable, BytesCountOnlyWhileLoading) {
  for (const EventKind event :
       {EventKind::kProgress, EventKind::kDownloaded, EventKind::kDownloadFailed, EventKind::kRestarted}) {
    for (std::size_t state = 0; state < kStateCount; ++state) {
      const bool dropped = step_for(event, state_at(state)) == Step::kDrop;
      EXPECT_EQ(dropped, state_at(state) != State::kLoading)
          << event_name(event) << state_name(state_at(state));
    }
  }
}

TEST(UpdateTable, EveryNameIsThere) {
  for (std::size_t i = 0; i < kStateCount; ++i) EXPECT_FALSE(state_name(state_at(i)).empty());
  for (std::size_t i = 0; i < kEventCount; ++i) EXPECT_FALSE(event_name(event_at(i)).empty());
}

// Any events in any order: the list of actions never fills up (its end would be lost), and an action with
// an outcome is the last one.
TEST(UpdateMachine, AnyEventsInAnyOrderKeepTheActionListShort) {
  Jitter dice(42);
  std::size_t longest = 0;
  for (int run = 0; run < 300; ++run) {
    Record record;
    record.phase = static_cast<Phase>(dice.up_to(2));
    Offer offer;
    (void)offer.version.assign("1.1.0");
    (void)offer.sha256.assign(std::string(64, 'a'));
    (void)offer.url.assign("/x");
    offer.size_bytes = 5000;
    record.target = offer;
    BootInfo boot;
    (void)boot.running_version.assign(dice.up_to(3) == 0 ? "1.1.0" : "1.0.0");
    boot.on_trial = dice.up_to(3) == 0;
    boot.rolled_back = dice.up_to(3) == 0;
    boot.slot_bytes = 10000;
    UpdateMachine machine(Timing(), dice.up_to(UINT32_MAX));
    Event event;
    event.record = &record;
    event.boot = &boot;
    event.offer = &offer;
    DownloadFailure failure;
    event.failure = &failure;
    event.kind = EventKind::kBoot;
    for (int step = 0; step < 200; ++step) {
      const ActionList& actions = machine.handle(event);
      longest = std::max(longest, actions.size());
      EXPECT_LE(std::count_if(actions.begin(), actions.end(),
                              [](const Action& action) { return action.kind == ActionKind::kPersist; }),
                1)
          << "the same record stored twice";
      event.kind = static_cast<EventKind>(1 + dice.up_to(kEventCount - 2));
      event.now_ms += dice.up_to(20'000);
      (void)offer.version.assign(dice.up_to(2) == 0 ? "1.2.0" : "1.1.0");
      (void)offer.attempt_id.assign(std::string(1, static_cast<char>('1' + dice.up_to(4))));
      offer.size_bytes = dice.up_to(5) == 0 ? 20000 : 5000;
      event.bytes = dice.up_to(100);
      failure.kind = static_cast<FailureKind>(dice.up_to(6));
      event.text = dice.up_to(1) == 0 ? machine.record().target.attempt_id.view() : std::string_view("x");
      event.recorded = dice.up_to(1) == 0;
    }
  }
  EXPECT_LT(longest, ActionList::kCapacity);
  EXPECT_GE(longest, 6U);
}

}  // namespace
}  // namespace ota::device
