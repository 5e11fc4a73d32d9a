#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fleet/decide.hpp"

namespace ota::http {

/// Something that keeps a device from being offered an update, in words for the admin.
struct Block {
  std::string_view reason;  ///< a static text
  std::string text;
};

/// All that is in `device`'s way at once: a decision names only the first. Orders that hold whatever is meant
/// for it come first.
[[nodiscard]] std::vector<Block> blocks_of(const fleet::Device& device, const fleet::Decision& decision,
                                           const fleet::Catalog& catalog,
                                           const fleet::Circumstances& circumstances);

}  // namespace ota::http
