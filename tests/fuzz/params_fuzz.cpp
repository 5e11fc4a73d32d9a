#include "http/params.hpp"

#include "fleet/ids.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace ota;

namespace {

// name=value, a line each, as the library hands them over: decoded.
http::Params params_of(std::string_view text) {
  http::Params params;
  for (const auto line : fuzz::lines_of(text, 8)) {
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    params.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  return params;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  if (fuzz::is_clean_utf8(text)) fuzz::require(http::is_utf8(text), "clean text is UTF-8");
  const auto number = http::parse_whole(text, -5, 500);
  fuzz::require(!number || (*number >= -5 && *number <= 500), "a number lies in its range");

  const auto params = params_of(text);
  const auto id = http::id_param(params, "id");
  const auto optional_id = http::optional_id_param(params, "id");
  const auto version = http::version_param(params, "version");
  const auto optional_version = http::optional_version_param(params, "version");
  const auto note = http::text_param(params, "note");
  const auto flag = http::flag_param(params, "flag");
  const auto limit = http::limit_param(params, 10, 100);
  const auto cursor = http::cursor_param(params);
  (void)fuzz::value_or_sentence(flag);
  for (const auto* taken : {fuzz::value_or_sentence(id), fuzz::value_or_sentence(optional_id)}) {
    fuzz::require(taken == nullptr || taken->empty() || fleet::parse_id("id", *taken),
                  "an id keeps the grammar");
  }
  for (const auto* taken : {fuzz::value_or_sentence(version), fuzz::value_or_sentence(optional_version)}) {
    fuzz::require(taken == nullptr || taken->empty() || fleet::parse_version_text("version", *taken),
                  "a version keeps the grammar");
  }
  if (const auto* taken = fuzz::value_or_sentence(note)) {
    fuzz::require(taken->find('\0') == std::string::npos && http::is_utf8(*taken), "text can be stored");
  }
  if (const auto* taken = fuzz::value_or_sentence(limit))
    fuzz::require(*taken >= 1 && *taken <= 100, "a limit is one");
  if (const auto* taken = fuzz::value_or_sentence(cursor))
    fuzz::require(*taken >= 0, "a cursor is none or positive");
  return 0;
}
