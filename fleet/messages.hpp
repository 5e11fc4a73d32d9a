#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "fleet/admin_key.hpp"
#include "fleet/attempts.hpp"
#include "fleet/catalog.hpp"
#include "fleet/expected.hpp"
#include "fleet/time.hpp"

namespace ota::fleet {

/// A device asks for its update, registers itself and says what it runs. The hello after a boot is the same.
struct Check {
  std::string model;
  std::string version;
  std::string boot_id;        ///< empty when not sent
  std::string mac;            ///< canonical; empty when not sent
  std::string reported_json;  ///< a JSON object the device says of itself; empty when not sent
};

/// A device reports how its update goes.
struct Report {
  std::string version;  ///< firmware_version: the one being installed
  Status status = Status::pending;
  std::optional<int> progress_percent;  ///< 0..100
  std::string error;
  std::optional<std::int64_t> attempt_id;
  std::optional<std::string> report_id;  ///< echoed in the ack, nothing else
};

/// A device's retained presence or last will.
struct Presence {
  bool online = false;
};

/// Our own word, not the device's: the attempt's time is up.
struct Expire {
  std::int64_t attempt_id = 0;
};

/// Our own word: something around the device has changed, decide anew.
struct Settle {};

/// `internal`: the service itself; such a message is no sign of life of the device.
enum class Channel { rest, mqtt, internal };

/// One validated message of one device, from either world or our own, on its way through the inbox.
struct Message {
  std::string device_id;
  Channel channel = Channel::rest;
  Time received_at{};
  std::variant<Check, Report, Presence, Expire, Settle> body;
  /// Digest of the token that came with it and has to be the device's; nullopt where nothing is left to show.
  std::optional<KeyDigest> token = {};
  /// Of the client certificate that shows who the device is; it must not be revoked. Empty: none.
  std::string serial = {};
};

/// The offer a device is to act on. `release` and `catalog` keep each other alive.
struct OfferAnswer {
  std::shared_ptr<const Catalog> catalog;
  const Release* release = nullptr;
  std::string current_version;
  std::int64_t attempt_id = 0;
  std::int64_t rollout_id = 0;
  std::int64_t revision = 0;  ///< offers.wanted_revision this answer stands for
  bool retain = false;        ///< false once the attempt is under way: the answer is then only for the asker
  int start_within_seconds = 0;  ///< the device waits a random part of it before it begins
  Time answered_at{};  ///< told with a manifest: what expires is measured by a device without a clock
};

struct NoUpdateAnswer {
  std::string current_version;
  std::optional<std::string> latest_version;
  std::string reason;
  std::int64_t waits_for_rollout = 0;  ///< whose rate lets it wait; 0: none
};

/// A report was committed, or refused for good with a reason.
struct ReportAnswer {
  bool recorded = false;
  std::string reason;
};

/// The device's identity was revoked: its message moved nothing.
struct RevokedAnswer {
  static constexpr const char* kReason = "this device was revoked; an admin can reinstate or replace it";
};

/// What came of a message, told after its batch was committed. An Error means nothing was recorded:
/// `unavailable` when the database is away or the inbox is full (the device tries again), `invalid` when the
/// row itself was refused.
using Answer = std::variant<OfferAnswer, NoUpdateAnswer, ReportAnswer, RevokedAnswer>;
using Reply = std::function<void(const Expected<Answer>&)>;

}  // namespace ota::fleet
