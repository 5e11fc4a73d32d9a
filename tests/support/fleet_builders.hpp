#pragma once

#include <mbedtls/sha256.h>
#include <mbedtls/version.h>

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "fleet/catalog.hpp"
#include "fleet/decide.hpp"
#include "fleet/device.hpp"
#include "fleet/ports/ticket_signer.hpp"

namespace ota::tests {

/// A real SHA-256 for the domain's port.
inline std::array<std::uint8_t, 32> test_sha256(std::string_view text) {
  std::array<std::uint8_t, 32> digest{};
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
#if MBEDTLS_VERSION_MAJOR >= 3
  mbedtls_sha256(bytes, text.size(), digest.data(), 0);
#else
  mbedtls_sha256_ret(bytes, text.size(), digest.data(), 0);
#endif
  return digest;
}

/// A clock for the domain's port whose only zone is UTC.
inline std::optional<fleet::LocalMoment> utc_clock(const std::string& zone, fleet::Time now, int days_back,
                                                   int minute) {
  if (zone != "UTC") return std::nullopt;
  const auto day = std::chrono::floor<std::chrono::days>(now) - std::chrono::days(days_back);
  const auto weekday = std::chrono::weekday(day).iso_encoding() - 1;
  return fleet::LocalMoment{fleet::Time(day) + std::chrono::minutes(minute), static_cast<int>(weekday)};
}

inline fleet::Circumstances circumstances(fleet::Time now = {}) {
  return {&test_sha256, now, &utc_clock};
}

/// Tickets as long as the real ones, for who knows how they are made: no key.
class FakeSigner final : public fleet::TicketSigner {
 public:
  std::string sign(const fleet::TicketClaim& claim) const override {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string ticket;
    for (const auto byte : test_sha256(fleet::ticket_text(claim))) {
      if (ticket.size() < 22) ticket += {kDigits[byte >> 4U], kDigits[byte & 0xFU]};
    }
    return ticket;
  }
  bool verify(const fleet::TicketClaim& claim, std::string_view ticket) const override {
    return sign(claim) == ticket;
  }
};

inline fleet::Release release(std::int64_t id, std::string version, std::string min_version = "") {
  fleet::Release made;
  made.id = id;
  made.version = std::move(version);
  made.model = "esp32";
  if (!min_version.empty()) made.min_version = std::move(min_version);
  made.size_bytes = 1000;
  made.sha256 = std::string(64, 'a');
  made.created_at = fleet::Time(std::chrono::seconds(id));
  return made;
}

inline fleet::Rollout rollout(std::int64_t id, std::string version) {
  fleet::Rollout made;
  made.id = id;
  made.name = "r" + std::to_string(id);
  made.version = std::move(version);
  made.model = "esp32";
  return made;
}

inline fleet::Device device(std::string id, std::string version) {
  fleet::Device made;
  made.id = std::move(id);
  made.model = "esp32";
  made.version = std::move(version);
  made.on_mqtt = true;
  return made;
}

}  // namespace ota::tests
