#include "sql/json.hpp"

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>

namespace ota::sql {
namespace {

constexpr int kDepthMax = 64;

bool exceeds_int64(const nlohmann::json& number) {
  return number.is_number_unsigned() &&
         number.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max();
}

fleet::JsonValue converted(const nlohmann::json& from, int depth) {
  using Json = nlohmann::json;
  fleet::JsonValue to;
  if (depth > kDepthMax) return to;
  if (from.is_boolean()) {
    to.value = from.get<bool>();
  } else if (from.is_number_integer() && !exceeds_int64(from)) {
    to.value = from.get<std::int64_t>();
  } else if (from.is_number()) {
    to.value = from.get<double>();
  } else if (from.is_string()) {
    to.value = from.get_ref<const Json::string_t&>();
  } else if (from.is_array()) {
    fleet::JsonValue::Array array;
    array.reserve(from.size());
    for (const auto& element : from) array.push_back(converted(element, depth + 1));
    to.value = std::move(array);
  } else if (from.is_object()) {
    fleet::JsonValue::Object object;
    for (const auto& [key, member] : from.items()) object.emplace(key, converted(member, depth + 1));
    to.value = std::move(object);
  }
  return to;
}

struct ToLibrary {
  using Json = nlohmann::json;
  Json operator()(std::nullptr_t) const { return nullptr; }
  Json operator()(bool value) const { return value; }
  Json operator()(std::int64_t value) const { return value; }
  Json operator()(double value) const { return value; }
  Json operator()(const std::string& value) const { return value; }
  Json operator()(const fleet::JsonValue::Array& array) const {
    Json to = Json::array();
    for (const auto& element : array) to.push_back(std::visit(*this, element.value));
    return to;
  }
  Json operator()(const fleet::JsonValue::Object& object) const {
    Json to = Json::object();
    for (const auto& [key, member] : object) to[key] = std::visit(*this, member.value);
    return to;
  }
};

}  // namespace

fleet::JsonValue parse_jsonb(std::string_view text) {
  const auto document = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  return document.is_discarded() ? fleet::JsonValue{} : converted(document, 0);
}

std::string json_text(const fleet::JsonValue& value) {
  return std::visit(ToLibrary{}, value.value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace ota::sql
