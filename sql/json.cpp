#include "sql/json.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>

namespace ota::sql {
namespace {

constexpr int kDepthMax = 64;
constexpr double kExactIntegersMax = 9007199254740992.0;  // 2^53

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
    // PostgreSQL keeps 1.0 as it was written; the domain knows whole numbers as such.
    const double number = from.get<double>();
    const bool whole = std::trunc(number) == number && std::abs(number) < kExactIntegersMax;
    if (whole) to.value = static_cast<std::int64_t>(number);
    if (!whole) to.value = number;
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

}  // namespace

fleet::JsonValue parse_jsonb(std::string_view text) {
  const auto document = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  return document.is_discarded() ? fleet::JsonValue{} : converted(document, 0);
}

}  // namespace ota::sql
