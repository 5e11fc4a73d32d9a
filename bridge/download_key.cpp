#include "bridge/download_key.hpp"

#include <mbedtls/md.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "bridge/secret_file.hpp"
#include "fleet/ids.hpp"

namespace ota::bridge {
namespace {

using fleet::ErrorKind;

constexpr std::size_t kKeysMax = 2;
// 32 random bytes in base64 without padding; in hex they are 64.
constexpr std::size_t kKeyCharactersMin = 43;
constexpr std::size_t kTicketBits = 128;
constexpr std::size_t kTicketCharacters = (kTicketBits + 5) / 6;

const unsigned char* bytes_of(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// The library's answer is not looked at: the software implementation of a known hash cannot fail.
std::string ticket_by(const std::string& key, const fleet::TicketClaim& claim) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const auto text = fleet::ticket_text(claim);
  std::array<unsigned char, 32> mac{};
  (void)mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), bytes_of(key), key.size(),
                        bytes_of(text), text.size(), mac.data());
  std::string ticket;
  unsigned bits = 0;
  unsigned bits_held = 0;
  for (std::size_t i = 0; i < kTicketBits / 8; ++i) {
    bits = (bits << 8U) | mac[i];
    for (bits_held += 8; bits_held >= 6; bits_held -= 6) ticket += kDigits[(bits >> (bits_held - 6)) & 0x3FU];
  }
  if (bits_held > 0) ticket += kDigits[(bits << (6 - bits_held)) & 0x3FU];
  return ticket;
}

// Both have kTicketCharacters. The time this takes tells nothing about where they begin to differ.
bool same_ticket(std::string_view one, std::string_view other) {
  unsigned difference = 0;
  for (std::size_t i = 0; i < kTicketCharacters; ++i) difference |= static_cast<unsigned>(one[i] ^ other[i]);
  return difference == 0;
}

}  // namespace

fleet::Expected<std::unique_ptr<DownloadKey>> DownloadKey::load(const std::string& file) {
  if (file.empty()) return nullptr;
  const auto text = read_secret_file(file);
  if (!text) return tl::unexpected(text.error());
  std::vector<std::string> keys;
  for (std::size_t at = 0; at <= text->size();) {
    const auto end = std::min(text->find('\n', at), text->size());
    keys.push_back(text->substr(at, end - at));
    if (!keys.back().empty() && keys.back().back() == '\r') keys.back().pop_back();
    at = end + 1;
  }
  const bool all_strong = std::all_of(keys.begin(), keys.end(), [](const std::string& key) {
    return is_strong_secret(key, kKeyCharactersMin) &&
           std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  });
  if (keys.size() > kKeysMax || !all_strong) {
    return fleet::fail(ErrorKind::invalid,
                       fleet::quoted(file) +
                           " must hold one or two keys, a line each, of 32 random bytes or more as hex or "
                           "base64; openssl rand -hex 32 makes one");
  }
  return std::unique_ptr<DownloadKey>(new DownloadKey(std::move(keys)));
}

std::string DownloadKey::sign(const fleet::TicketClaim& claim) const {
  return ticket_by(keys_.front(), claim);
}

bool DownloadKey::verify(const fleet::TicketClaim& claim, std::string_view ticket) const {
  if (ticket.size() != kTicketCharacters) return false;
  return std::any_of(keys_.begin(), keys_.end(),
                     [&](const std::string& key) { return same_ticket(ticket, ticket_by(key, claim)); });
}

}  // namespace ota::bridge
