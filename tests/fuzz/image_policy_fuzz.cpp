#include "fleet/image_policy.hpp"

#include <algorithm>

#include "fleet/chips.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace ota;

// A MODEL_CHIPS list, which is also tried as a model's name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  const auto names = fleet::chip_names();
  const auto chip = fleet::chip_of_name(text);
  fuzz::require(chip.empty() || std::find(names.begin(), names.end(), chip) != names.end(),
                "a name says a known chip");
  const auto chips = fleet::parse_model_chips(text);
  if (fuzz::value_or_sentence(chips) == nullptr) return 0;
  std::string written;
  for (const auto& [model, its_chip] : *chips) written += model + "=" + its_chip + ",";
  fuzz::require(fleet::parse_model_chips(written).value() == *chips,
                "reading what was written gives the same");
  return 0;
}
