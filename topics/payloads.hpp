#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fleet/expected.hpp"
#include "fleet/limits.hpp"
#include "fleet/messages.hpp"
#include "fleet/ports/admin_store.hpp"
#include "fleet/ports/monitor_store.hpp"

namespace ota::topics {

/// Bodies from devices. Errors carry a sentence: `malformed` for JSON that cannot be read, `invalid` for a
/// wrong field.
[[nodiscard]] fleet::Expected<fleet::Check> decode_check(std::string_view payload);
[[nodiscard]] fleet::Expected<fleet::Report> decode_report(std::string_view payload,
                                                           std::string_view device_id);
[[nodiscard]] fleet::Expected<fleet::Presence> decode_presence(std::string_view payload);
/// The report_id of a report that was refused, so that its refusal can be acknowledged: also out of a text
/// that is no JSON. nullopt when there is none, or one that no device of good will sends.
[[nodiscard]] std::optional<std::string> salvage_report_id(std::string_view payload);
/// The attempt_id of an offer of ours as it stands on the broker; 0 for anything else.
[[nodiscard]] std::int64_t decode_offer_attempt(std::string_view payload);

/// Answers to a device. `public_url` goes before `download_path` (empty: a relative URL).
[[nodiscard]] std::string encode_offer(const fleet::OfferAnswer& offer, const std::string& download_path,
                                       std::string_view public_url);
[[nodiscard]] std::string encode_no_update(const fleet::NoUpdateAnswer& answer);
[[nodiscard]] std::string encode_refusal(std::string_view reason);
[[nodiscard]] std::string encode_withdrawn(std::int64_t attempt_id);
/// Without an id (empty) it is about a report that could not be read.
[[nodiscard]] std::string encode_ack(std::string_view report_id, bool recorded, std::string_view reason);

/// What monitors read.
[[nodiscard]] std::string encode_summary(const fleet::FleetSummary& summary);
[[nodiscard]] std::string encode_event(const fleet::EventRow& event);
[[nodiscard]] std::string encode_rollout(const fleet::RolloutFigures& rollout);
/// `reading` above 0 marks the end of a reading of retained offers: the bridge hears its own message back
/// after them.
[[nodiscard]] std::string encode_service_online(std::string_view version, std::string_view replica,
                                                bool leader, std::int64_t reading = 0);
/// The `reading` of such a message; 0 when it has none.
[[nodiscard]] std::int64_t decode_service_reading(std::string_view payload);
[[nodiscard]] std::string encode_service_offline();

}  // namespace ota::topics
