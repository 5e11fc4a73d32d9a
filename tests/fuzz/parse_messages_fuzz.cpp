#include "fleet/parse_messages.hpp"

#include "fleet/ids.hpp"
#include "fleet/strict_json.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace ota;

namespace {

void test_check(const fleet::Check& check) {
  fuzz::require(fleet::parse_id("model", check.model).has_value(), "a model keeps the grammar");
  fuzz::require(fleet::parse_version_text("version", check.version).has_value(),
                "a version keeps the grammar");
  fuzz::require(check.boot_id.size() <= fleet::kIdCharsMax, "a boot id is bounded");
  fuzz::require(check.reported_json.size() <= fleet::kReportedBytesMax,
                "what a device says of itself is bounded");
  fuzz::require(check.reported_json.empty() || fleet::parse_json(check.reported_json).has_value(),
                "and is JSON");
  const auto again = fleet::make_check(check.model, check.version, check.boot_id, check.mac);
  fuzz::require(again && again->mac == check.mac, "REST takes what MQTT took");
}

void test_report(const fleet::Report& report) {
  fuzz::require(fleet::parse_version_text("version", report.version).has_value(),
                "a version keeps the grammar");
  fuzz::require(report.error.size() <= fleet::kErrorMessageBytesMax, "an error message is bounded");
  fuzz::require(report.error.find('\0') == std::string::npos, "PostgreSQL holds no NUL");
  fuzz::require(
      !report.progress_percent || (*report.progress_percent >= 0 && *report.progress_percent <= 100),
      "progress is a percentage");
  fuzz::require(!report.report_id || report.report_id->size() <= fleet::kReportIdBytesMax,
                "a report id is bounded");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  for (const std::size_t most : {0U, 1U, 7U, 1024U}) {
    const auto cut = fleet::cut_utf8(text, most);
    fuzz::require(cut.size() <= most && text.substr(0, cut.size()) == cut,
                  "a cut text is a bounded beginning");
    fuzz::require(!fuzz::is_clean_utf8(text) || fuzz::is_clean_utf8(cut), "cutting splits no character");
  }
  const auto body = fleet::parse_json(text);
  if (!body) return 0;
  if (const auto check = fleet::parse_check(*body); fuzz::value_or_sentence(check) != nullptr)
    test_check(*check);
  if (const auto report = fleet::parse_report(*body, "esp32_001");
      fuzz::value_or_sentence(report) != nullptr) {
    test_report(*report);
  }
  const auto presence = fleet::parse_presence(*body);
  (void)fuzz::value_or_sentence(presence);
  return 0;
}
