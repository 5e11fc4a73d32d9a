#include "fleet/image_inspection.hpp"

#include "fleet/image_policy.hpp"
#include "fleet/strict_json.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/support/fleet_builders.hpp"

using namespace ota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = fuzz::text_of(data, size);
  const auto found = fleet::inspect_image(bytes, &tests::test_sha256);
  const auto written = fleet::to_json(fleet::image_json(found));
  fuzz::require(written.size() <= 1024 && fleet::parse_json(written).has_value(),
                "what is kept is small and JSON");
  fuzz::require(found.segments <= 16 && found.secure_boot.signatures <= 3, "the counts are bounded");
  fuzz::require(found.format != fleet::ImageFormat::unknown || (found.chip.empty() && found.damage.empty()),
                "nothing is said of an unknown format");
  for (const char* model : {"any", "esp32", "esp32c3", "esp8266", "kitchen"}) {
    const auto judged = fleet::judge_image(found, model, "1.1.0", {{{"kitchen", "esp32s3"}}, false});
    if (!judged) fuzz::require_sentence(judged.error().message);
    fuzz::require(!judged || found.damage.empty(), "a damaged image never passes");
  }
  const bool is_application =
      found.format == fleet::ImageFormat::esp32 || found.format == fleet::ImageFormat::esp8266;
  if (!is_application || !found.damage.empty() || found.secure_boot.signatures > 0) return 0;
  const auto longer = fleet::inspect_image(std::string(bytes) + '\xFF', &tests::test_sha256);
  fuzz::require(longer.format == found.format && longer.damage.empty(),
                "what follows an image does not harm it");
  return 0;
}
