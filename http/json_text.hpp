#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "fleet/strict_json.hpp"

namespace ota::http {

/// What the encoders of answers share. For .cpp files: it brings the JSON library along.
using Json = nlohmann::ordered_json;

/// Texts of an adopted database may hold bytes that are not UTF-8; they are replaced rather than thrown at.
[[nodiscard]] inline std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

[[nodiscard]] inline Json nullable(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

/// 0 stands for no id.
[[nodiscard]] inline Json nullable(std::int64_t id) {
  return id == 0 ? Json(nullptr) : Json(id);
}

/// Texts that hold JSON of the database; null where there is none or it cannot be read.
[[nodiscard]] inline Json embedded(const std::string& text) {
  auto json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return json.is_discarded() ? Json(nullptr) : json;
}

[[nodiscard]] inline Json embedded(const fleet::JsonValue& value) {
  return embedded(fleet::to_json(value));
}

}  // namespace ota::http
