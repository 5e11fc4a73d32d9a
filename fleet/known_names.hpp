#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/expected.hpp"
#include "fleet/json_value.hpp"

namespace ota::fleet {

/// Names are told with blanks between them: "name role expires_at". Who misspells one would otherwise ask for
/// more than was meant, without a word. Thread safe.
[[nodiscard]] bool is_known(std::string_view name, std::string_view known);

/// What to say of a name that is none of `known`: "'device' is not a member of this body; did you mean
/// device_id?", or which names there are where none is near. `place` is the "member of this body".
[[nodiscard]] std::string unknown_name(std::string_view name, std::string_view known, std::string_view place);

/// Such a sentence for each member of `object` that is not `known`, for ten of them at most; none of what is
/// no object.
[[nodiscard]] std::vector<std::string> unknown_members(const JsonValue& object, std::string_view known,
                                                       std::string_view place = "member of this body");

/// `invalid` with the first of those sentences, or when `body` is no object.
[[nodiscard]] Expected<void> require_members(const JsonValue& body, std::string_view known);

}  // namespace ota::fleet
