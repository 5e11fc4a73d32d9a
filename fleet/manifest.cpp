#include "fleet/manifest.hpp"

#include <chrono>

#include "fleet/ids.hpp"

namespace ota::fleet {
namespace {

constexpr std::string_view kFirstLine = "ota-manifest-v1";
constexpr std::size_t kSha256Chars = 64;
constexpr std::int64_t kExpiresMaxSeconds = 7258118400;
constexpr std::size_t kNumberDigitsMax = 18;

tl::unexpected<Error> wrong(const std::string& message) {
  return fail(ErrorKind::invalid, "manifest: " + message);
}

// Takes a manifest apart, line by line.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  [[nodiscard]] std::string_view rest() const { return rest_; }

  // The next line without its LF; nullopt when no LF is left.
  std::optional<std::string_view> next() {
    const auto end = rest_.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const auto line = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return line;
  }
  // The value of the line `name=value` if it is the next one.
  std::optional<std::string_view> take(std::string_view name) {
    const bool is_next =
        rest_.size() > name.size() && rest_.substr(0, name.size()) == name && rest_[name.size()] == '=';
    if (!is_next) return std::nullopt;
    auto line = next();
    if (line) line->remove_prefix(name.size() + 1);
    return line;
  }

 private:
  std::string_view rest_;
};

Expected<std::string_view> required(Lines& lines, std::string_view name) {
  if (const auto value = lines.take(name)) return *value;
  return wrong("the line " + std::string(name) + "=… is missing or out of its order");
}

// A whole number from 1 without leading zeros, so that a manifest can be written in one way only.
Expected<std::int64_t> read_number(Lines& lines, std::string_view name) {
  const auto text = required(lines, name);
  if (!text) return tl::unexpected(text.error());
  std::int64_t number = 0;
  const bool digits = !text->empty() && text->size() <= kNumberDigitsMax && text->front() != '0' &&
                      text->find_first_not_of("0123456789") == std::string_view::npos;
  for (const char c : digits ? *text : std::string_view{}) number = number * 10 + (c - '0');
  if (number > 0) return number;
  return wrong(std::string(name) + " must be a whole number from 1 to " + std::string(kNumberDigitsMax, '9') +
               " without leading zeros");
}

bool is_base64(std::string_view text) {
  const auto padding = text.find('=');
  const auto body = text.substr(0, padding);
  const bool padded =
      padding == std::string_view::npos ||
      (text.size() - padding <= 2 && text.substr(padding).find_first_not_of('=') == std::string_view::npos);
  return !text.empty() && text.size() % 4 == 0 && padded &&
         body.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") ==
             std::string_view::npos;
}

Expected<void> read_first_line(Lines& lines) {
  const auto line = lines.next();
  if (line == kFirstLine) return {};
  if (line && *line == std::string(kFirstLine) + '\r')
    return wrong("its lines end with CR LF; they must end with LF alone, as they were signed");
  return wrong("the first line must be " + std::string(kFirstLine));
}

Expected<void> read_identity(Lines& lines, Manifest& manifest) {
  const auto model =
      required(lines, "model").and_then([](auto text) { return parse_id("manifest: model", text); });
  if (!model) return tl::unexpected(model.error());
  manifest.model = *model;
  const auto version = required(lines, "version").and_then([](auto text) {
    return parse_version_text("manifest: version", text);
  });
  if (!version) return tl::unexpected(version.error());
  manifest.version = *version;
  const auto sequence = read_number(lines, "sequence");
  if (!sequence) return tl::unexpected(sequence.error());
  manifest.sequence = *sequence;
  if (const auto text = lines.take("min_version")) {
    auto least = parse_version_text("manifest: min_version", *text);
    if (!least) return tl::unexpected(least.error());
    manifest.min_version = std::move(*least);
  }
  return {};
}

Expected<void> read_image(Lines& lines, Manifest& manifest) {
  const auto size = read_number(lines, "size");
  if (!size) return tl::unexpected(size.error());
  manifest.size_bytes = *size;
  const auto sha256 = required(lines, "sha256");
  if (!sha256) return tl::unexpected(sha256.error());
  if (sha256->size() != kSha256Chars ||
      sha256->find_first_not_of("0123456789abcdef") != std::string_view::npos) {
    return wrong("sha256 must be 64 lower-case hex digits");
  }
  manifest.sha256 = *sha256;
  if (lines.rest().substr(0, 8) == "expires=") {
    const auto seconds = read_number(lines, "expires");
    if (!seconds || *seconds > kExpiresMaxSeconds)
      return wrong("expires must be in seconds since 1970, before 2200");
    manifest.expires = Time(std::chrono::seconds(*seconds));
  }
  return {};
}

}  // namespace

Expected<Manifest> parse_manifest(std::string_view text) {
  if (text.size() > kManifestBytesMax) {
    return wrong("has " + std::to_string(text.size()) + " bytes; at most " +
                 std::to_string(kManifestBytesMax) + " are taken");
  }
  Lines lines(text);
  if (auto read = read_first_line(lines); !read) return tl::unexpected(read.error());
  Manifest manifest;
  if (auto read = read_identity(lines, manifest); !read) return tl::unexpected(read.error());
  if (auto read = read_image(lines, manifest); !read) return tl::unexpected(read.error());
  const auto key = required(lines, "key").and_then([](auto id) { return parse_id("manifest: key", id); });
  if (!key) return tl::unexpected(key.error());
  manifest.key_id = *key;
  manifest.signed_text = text.substr(0, text.size() - lines.rest().size());
  const auto signature = required(lines, "signature");
  if (!signature) return tl::unexpected(signature.error());
  if (!is_base64(*signature)) return wrong("signature must be base64");
  manifest.signature = *signature;
  if (!lines.rest().empty()) return wrong("nothing may follow the signature");
  return manifest;
}

std::string manifest_text(const Manifest& manifest) {
  std::string text(kFirstLine);
  const auto add = [&](std::string_view name, const std::string& value) {
    text.append("\n").append(name).append("=").append(value);
  };
  add("model", manifest.model);
  add("version", manifest.version);
  add("sequence", std::to_string(manifest.sequence));
  if (!manifest.min_version.empty()) add("min_version", manifest.min_version);
  add("size", std::to_string(manifest.size_bytes));
  add("sha256", manifest.sha256);
  if (manifest.expires) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(manifest.expires->time_since_epoch());
    add("expires", std::to_string(seconds.count()));
  }
  add("key", manifest.key_id);
  return text + "\n";
}

}  // namespace ota::fleet
