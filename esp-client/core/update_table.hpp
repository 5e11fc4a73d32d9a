#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ota::device {

enum class State : std::uint8_t {
  kIdle,        // nothing under way
  kResuming,    // an attempt was interrupted by a restart; it goes on when the server still wants it
  kLoading,     // bytes flow into the other slot
  kWaiting,     // before the next try of the download
  kVerifying,   // the slot's hash is computed
  kInstalling,  // "installing" is being told; then the slot is switched
  kRebooting,
  kTrial,  // the new image runs and has not reached its server yet
};
inline constexpr std::size_t kStateCount = 8;

enum class EventKind : std::uint8_t {
  kBoot,
  kConnected,
  kDisconnected,
  kHint,        // an offer the broker had kept: may be stale
  kOffer,       // live
  kBadOffer,    // live, but not one a device can act on
  kNoUpdate,    // live
  kWithdrawn,   // live
  kRestarted,   // the server sends the image from its start
  kProgress,    // bytes are in the slot
  kDownloaded,  // the server closed after the last byte
  kDownloadFailed,
  kVerified,
  kVerifyFailed,
  kSwitched,
  kSwitchFailed,
  kConfirmed,
  kConfirmFailed,
  kAck,
  kTick,
};
inline constexpr std::size_t kEventCount = 20;

// What is done about an event: the handler of the same name in update_machine.
enum class Step : std::uint8_t {
  kDrop,
  kBoot,
  kGreet,
  kConfirm,
  kLost,
  kAsk,
  kTake,
  kResume,
  kCompare,
  kRefuse,
  kSettle,
  kAbandon,
  kStop,
  kRestart,
  kProgress,
  kVerify,
  kRetry,
  kInstall,
  kReject,
  kReboot,
  kNoSwitch,
  kConfirmed,
  kUnconfirmed,
  kAck,
  kAckInstall,
  kTick,
  kTickWait,
  kTickLoad,
  kTickInstall,
  kTickTrial,
};
inline constexpr std::size_t kStepCount = 30;

// The table: every event in every state.
[[nodiscard]] Step step_for(EventKind event, State state);

[[nodiscard]] std::string_view state_name(State state);
[[nodiscard]] std::string_view event_name(EventKind event);

}  // namespace ota::device
