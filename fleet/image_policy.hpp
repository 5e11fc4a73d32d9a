#pragma once

#include <map>
#include <string>
#include <string_view>

#include "fleet/expected.hpp"
#include "fleet/image_inspection.hpp"

namespace ota::fleet {

/// Which chip a model runs on, as configured; by model.
using ModelChips = std::map<std::string, std::string, std::less<>>;

/// Reads `model=chip,model=chip…`; spaces around a pair are passed over. `invalid` names the pair that is
/// wrong.
[[nodiscard]] Expected<ModelChips> parse_model_chips(std::string_view text);

/// The chip a model's own name says: the name of a chip (ESP32, esp32-s3, esp8266), or one of a variant with
/// more behind it (esp32c3-kitchen). "esp32-…" says nothing, since ESP32 is the family's name too. Empty:
/// none.
[[nodiscard]] std::string_view chip_of_name(std::string_view model);

/// What uploads are held to.
struct ImagePolicy {
  ModelChips model_chips;
  bool strict = false;  ///< every model's image must be of a known format
};

/// Whether an image may become that version of that model; `invalid` with a sentence that says what is wrong
/// and what would be right. The rules are the table in image_policy.cpp.
[[nodiscard]] Expected<void> judge_image(const ImageInspection& image, std::string_view model,
                                         std::string_view version, const ImagePolicy& policy);

}  // namespace ota::fleet
