#pragma once

#include <string>
#include <string_view>

#include "fleet/expected.hpp"
#include "fleet/messages.hpp"
#include "fleet/ports/admin_store.hpp"
#include "http/exchange.hpp"

namespace ota::http {

/// What clients are told to wait when the service cannot answer now.
inline constexpr std::string_view kRetryAfterSeconds = "5";

/// The one table of error kinds and statuses.
[[nodiscard]] int status_of(fleet::ErrorKind kind);
/// The words behind a status on the first line of an answer.
[[nodiscard]] std::string_view reason_phrase(int status);

[[nodiscard]] Response ok_reply(std::string json);
/// {"detail": message}, with Retry-After where waiting helps. An `internal` error's message is logged, not
/// told.
[[nodiscard]] Response error_reply(const fleet::Error& error);
/// `retry_after_seconds`: told with a 429 or 503.
[[nodiscard]] Response error_reply(int status, std::string_view detail,
                                   std::string_view retry_after_seconds = kRetryAfterSeconds);
/// {"detail": message} as text.
[[nodiscard]] std::string detail_json(std::string_view message);

/// Contract section 1, the answers by route. `download_path` is the offer's download_url; `with_attempt` adds
/// the further keys of manifest=1.
[[nodiscard]] std::string check_json(const fleet::OfferAnswer& offer, const std::string& download_path,
                                     bool with_attempt);
[[nodiscard]] std::string check_json(const fleet::NoUpdateAnswer& answer);
/// `warnings`: as a member of that name; left out where there are none.
[[nodiscard]] std::string status_json(std::string_view message,
                                      const std::vector<std::string>& warnings = {});
[[nodiscard]] std::string uploaded_json(const fleet::NewRelease& release,
                                        const std::vector<std::string>& warnings);
/// Lists, with `next_cursor` while there may be more.
[[nodiscard]] std::string releases_json(const fleet::Page<fleet::ReleaseRow>& page);
[[nodiscard]] std::string devices_json(const fleet::Page<fleet::DeviceRow>& page);
[[nodiscard]] std::string updates_json(const fleet::Page<fleet::UpdateRow>& page);
[[nodiscard]] std::string metrics_json(const fleet::FleetSummary& summary);
/// The same figures as Prometheus text exposition 0.0.4.
[[nodiscard]] std::string metrics_prometheus(const fleet::FleetSummary& summary);

}  // namespace ota::http
