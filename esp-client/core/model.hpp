#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "esp-client/core/fixed_string.hpp"

namespace ota::device {

// Ids, models and versions: the contract's grammar allows 64 bytes of [A-Za-z0-9._:-], versions also '+'.
inline constexpr std::size_t kIdBytesMax = 64;
inline constexpr std::size_t kUrlBytesMax = 512;
inline constexpr std::size_t kReasonBytesMax = 120;
inline constexpr std::size_t kResultsMax = 3;
inline constexpr std::size_t kManifestBytesMax = 1024;

using Id = FixedString<kIdBytesMax>;
using Version = FixedString<kIdBytesMax>;
using Url = FixedString<kUrlBytesMax>;
using Sha256Hex = FixedString<64>;
using Reason = FixedString<kReasonBytesMax>;
using ReportId = FixedString<40>;
// The server's JSON token as it came (a number, or a string with its quotes), echoed untouched. Empty: none.
using AttemptId = FixedString<kIdBytesMax + 2>;

[[nodiscard]] bool is_id(std::string_view text);
[[nodiscard]] bool is_version(std::string_view text);
[[nodiscard]] bool is_sha256_hex(std::string_view text);  // lower or upper case
// Printable ASCII without spaces, quotes or backslashes; starts with "/", "http://" or "https://".
[[nodiscard]] bool is_url(std::string_view text);
[[nodiscard]] bool is_attempt_token(std::string_view text);
// Printable ASCII only: what goes to the server and into the record never needs more than one escape.
[[nodiscard]] Reason plain_reason(std::string_view text);

// Who the device is. Set once at start.
struct Identity {
  Id device_id;
  Id model;
  FixedString<32> mac;           // empty: not told
  std::uint64_t built_at_s = 0;  // when this image was made, seconds since 1970: it is later than that
};

enum class Status : std::uint8_t {
  kPending,
  kDownloading,
  kDownloaded,
  kInstalling,
  kSuccess,
  kFailed,
  kRolledBack
};
[[nodiscard]] std::string_view status_name(Status status);
[[nodiscard]] bool status_from_name(std::string_view name, Status& out);

// What the server wants this device to run.
struct Offer {
  AttemptId attempt_id;
  Version version;
  Sha256Hex sha256;  // lower case
  Url url;
  std::uint64_t size_bytes = 0;
  std::uint32_t start_within_s =
      0;  // a random part of it passes before the download; not kept over a restart
  FixedString<kManifestBytesMax> manifest;  // as it was signed; empty on devices without keys
  std::uint64_t sequence = 0;               // of the verified manifest
  std::uint64_t server_time_s = 0;          // when the server wrote the offer; 0: not told

  [[nodiscard]] bool same_image(const Offer& other) const {
    return version == other.version && sha256 == other.sha256 && size_bytes == other.size_bytes;
  }
};

// A final result the server has not acknowledged yet.
struct Result {
  AttemptId attempt_id;
  Version version;
  Status status = Status::kFailed;
  ReportId report_id;
  Reason reason;
};

enum class Phase : std::uint8_t { kNone, kDownloading, kInstalling };

// What survives a power cut. Written as one atomic blob by the storage port.
struct Record {
  std::uint32_t boot_count = 0;
  Phase phase = Phase::kNone;
  Offer target;                     // meaningful unless phase is kNone
  std::uint64_t offset_bytes = 0;   // so much of the image is in the slot
  std::uint32_t install_tries = 0;  // slot switches asked for in this attempt
  // Both rise when an image is confirmed, so that no server can raise them beyond what was signed.
  std::uint64_t sequence = 0;  // of the newest confirmed manifest: older ones are refused
  std::uint64_t time_s = 0;    // it is later than this, seconds since 1970
  std::array<Result, kResultsMax> results{};
  std::size_t result_count = 0;
};

// What the boot loader says about the image that runs.
struct BootInfo {
  Version running_version;
  bool on_trial = false;         // started for the first times, not confirmed yet
  bool rolled_back = false;      // the last new image was given up; stays until Slots::confirm()
  std::uint64_t slot_bytes = 0;  // room in the other slot
};

}  // namespace ota::device
