#include "esp-client/core/model.hpp"

namespace ota::device {
namespace {

constexpr std::array<std::string_view, 7> kStatusNames = {
    "pending", "downloading", "downloaded", "installing", "success", "failed", "rolled_back"};

bool is_id_byte(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == ':' || c == '-';
}

bool matches_grammar(std::string_view text, bool plus_allowed) {
  if (text.empty() || text.size() > kIdBytesMax || text == "." || text == "..") return false;
  for (const char c : text) {
    if (!is_id_byte(c) && !(plus_allowed && c == '+')) return false;
  }
  return true;
}

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

}  // namespace

bool is_id(std::string_view text) {
  return matches_grammar(text, false);
}

bool is_version(std::string_view text) {
  return matches_grammar(text, true);
}

bool is_sha256_hex(std::string_view text) {
  if (text.size() != 64) return false;
  for (const char c : text) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) return false;
  }
  return true;
}

bool is_url(std::string_view text) {
  if (text.size() > kUrlBytesMax) return false;
  const bool relative = starts_with(text, "/") && !starts_with(text, "//");
  if (!relative && !starts_with(text, "http://") && !starts_with(text, "https://")) return false;
  for (const char c : text) {
    if (c <= ' ' || c > '~' || c == '"' || c == '\\') return false;
  }
  return true;
}

bool is_attempt_token(std::string_view text) {
  if (text.size() > 2 && text.front() == '"' && text.back() == '"')
    return is_id(text.substr(1, text.size() - 2));
  if (text.empty() || text.size() > 20) return false;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
  }
  return true;
}

Reason plain_reason(std::string_view text) {
  Reason reason;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool plain = text[i] >= ' ' && text[i] <= '~';
    reason.append_cut(plain ? text.substr(i, 1) : "?");
  }
  return reason;
}

std::string_view status_name(Status status) {
  return kStatusNames[static_cast<std::size_t>(status)];
}

bool status_from_name(std::string_view name, Status& out) {
  for (std::size_t i = 0; i < kStatusNames.size(); ++i) {
    if (kStatusNames[i] != name) continue;
    out = static_cast<Status>(i);
    return true;
  }
  return false;
}

}  // namespace ota::device
