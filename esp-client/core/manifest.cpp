#include "esp-client/core/manifest.hpp"

#include <array>

namespace ota::device {
namespace {

constexpr std::string_view kFirstLine = "ota-manifest-v1\n";

// Takes the text apart line by line; the first that differs spoils it.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool starts_with(std::string_view name) const {
    return rest_.size() > name.size() && rest_.substr(0, name.size()) == name && rest_[name.size()] == '=';
  }
  // The value of the line `name=value`; empty, and spoilt, when another one is next.
  std::string_view value(std::string_view name) {
    const std::size_t end = rest_.find('\n');
    if (end == std::string_view::npos || !starts_with(name) || end == name.size() + 1) {
      ok = false;
      return {};
    }
    const std::string_view value = rest_.substr(name.size() + 1, end - name.size() - 1);
    rest_.remove_prefix(end + 1);
    return value;
  }
  // From 1, without leading zeros.
  std::uint64_t number(std::string_view name) {
    const std::string_view digits = value(name);
    std::uint64_t number = 0;
    if (digits.empty() || digits.size() > 18 || digits.front() == '0') ok = false;
    for (const char c : digits) {
      if (c < '0' || c > '9') ok = false;
      if (ok) number = number * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return ok ? number : 0;
  }

  [[nodiscard]] std::string_view rest() const { return rest_; }
  bool ok = true;

 private:
  std::string_view rest_;
};

using Triple = std::array<std::uint32_t, 3>;

// The leading numbers of a semantic version, missing ones 0; false when it cannot be one.
bool read_triple(std::string_view text, Triple& numbers) {
  numbers.fill(0);
  if (!text.empty() && (text.front() == 'v' || text.front() == 'V')) text.remove_prefix(1);
  text = text.substr(0, text.find_first_of("-+"));
  for (std::uint32_t& number : numbers) {
    std::size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
      if (digits == 9) return false;
      number = number * 10 + static_cast<std::uint32_t>(text[digits++] - '0');
    }
    if (digits == 0) return false;
    text.remove_prefix(digits);
    if (text.empty()) return true;
    if (text.front() != '.') return false;
    text.remove_prefix(1);
  }
  return false;
}

// Whether `running` is old enough to be sure that it is below `least`. Finer points of the order
// (pre-releases, builds behind a tag) are the server's.
bool is_below(std::string_view running, std::string_view least) {
  Triple have{};
  Triple want{};
  if (!read_triple(running, have) || !read_triple(least, want)) return running != least;
  return have < want;
}

}  // namespace

const char* parse_manifest(std::string_view text, Manifest& out) {
  if (text.size() > kManifestBytesMax) return "its manifest is longer than 1024 bytes";
  if (text.substr(0, kFirstLine.size()) != kFirstLine) return "its manifest is of no known format";
  Lines lines(text.substr(kFirstLine.size()));
  out.model = lines.value("model");
  out.version = lines.value("version");
  out.sequence = lines.number("sequence");
  if (lines.starts_with("min_version")) out.min_version = lines.value("min_version");
  out.size_bytes = lines.number("size");
  out.sha256 = lines.value("sha256");
  if (lines.starts_with("expires")) out.expires_s = lines.number("expires");
  out.key_id = lines.value("key");
  out.signed_text = text.substr(0, text.size() - lines.rest().size());
  out.signature_base64 = lines.value("signature");
  if (!lines.ok || !lines.rest().empty() || !is_id(out.model) || !is_version(out.version) ||
      !(out.min_version.empty() || is_version(out.min_version)) || !is_sha256_hex(out.sha256) ||
      !is_id(out.key_id)) {
    return "its manifest is malformed";
  }
  return nullptr;
}

const char* judge_manifest(const Offer& offer, const TrustFloor& floor, Signatures& signatures,
                           Vouched& out) {
  if (offer.manifest.empty()) return "it carries no signed manifest";
  Manifest manifest;
  if (const char* problem = parse_manifest(offer.manifest.view(), manifest)) return problem;
  // Nothing that stands in it counts before this.
  if (!signatures.verify(manifest.key_id, manifest.signed_text, manifest.signature_base64)) {
    return "its manifest is not signed by a key of this device";
  }
  if (manifest.model != floor.model) return "its manifest is for another model";
  if (manifest.version != offer.version.view()) return "its manifest is for another version";
  if (manifest.size_bytes != offer.size_bytes) return "its manifest is for an image of another size";
  if (manifest.sha256 != offer.sha256.view()) return "its manifest is for another image";
  if (manifest.sequence < floor.sequence) return "its manifest is older than the newest one installed here";
  const std::uint64_t now_s = offer.server_time_s > floor.time_s ? offer.server_time_s : floor.time_s;
  if (manifest.expires_s != 0 && manifest.expires_s <= now_s) return "its manifest has expired";
  if (!manifest.min_version.empty() && is_below(floor.running_version, manifest.min_version)) {
    return "its manifest wants a newer version to start from";
  }
  out.sequence = manifest.sequence;
  // What the server says of the time is kept only where the signer's own limit is above it: a server that
  // lies can then not make manifests look expired that come later.
  out.time_s = manifest.expires_s == 0 ? 0 : offer.server_time_s;
  return nullptr;
}

}  // namespace ota::device
