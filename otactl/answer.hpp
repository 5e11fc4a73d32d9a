#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace ota::otactl {

/// Reading the server's answers. Each of these ends the command with a sentence when the answer is not of the
/// form this otactl knows, so that an answer of another version, or of something else that speaks JSON, is
/// never half understood.

/// A text that must be there.
[[nodiscard]] std::string text_of(const nlohmann::json& answer, const char* member);

/// A text that may be null or missing: empty then.
[[nodiscard]] std::string optional_text_of(const nlohmann::json& answer, const char* member);

/// A whole number that must be there.
[[nodiscard]] std::int64_t number_of(const nlohmann::json& answer, const char* member);

/// A list that must be there.
[[nodiscard]] const nlohmann::json& list_of(const nlohmann::json& answer, const char* member);

/// Prints the sentence with which the server confirms an order.
void say(const nlohmann::json& answer);

}  // namespace ota::otactl
