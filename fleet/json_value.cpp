#include "fleet/json_value.hpp"

#include <algorithm>

namespace ota::fleet {

const JsonValue* JsonValue::find(std::string_view key) const {
  const auto* object = std::get_if<Object>(&value);
  if (object == nullptr) return nullptr;
  const auto found = object->find(key);
  return found == object->end() ? nullptr : &found->second;
}

std::vector<std::string> JsonValue::strings() const {
  std::vector<std::string> found;
  if (const auto* one = std::get_if<std::string>(&value)) found.push_back(*one);
  if (const auto* array = std::get_if<Array>(&value)) {
    for (const auto& element : *array) {
      if (const auto* text = std::get_if<std::string>(&element.value)) found.push_back(*text);
    }
  }
  return found;
}

bool JsonValue::contains(const JsonValue& pattern) const {
  if (const auto* wanted = std::get_if<Object>(&pattern.value)) {
    return std::holds_alternative<Object>(value) &&
           std::all_of(wanted->begin(), wanted->end(), [this](const auto& member) {
             const auto* mine = find(member.first);
             return mine != nullptr && mine->contains(member.second);
           });
  }
  const auto* elements = std::get_if<Array>(&value);
  if (const auto* wanted = std::get_if<Array>(&pattern.value)) {
    return elements != nullptr && std::all_of(wanted->begin(), wanted->end(), [&](const JsonValue& one) {
             return std::any_of(elements->begin(), elements->end(),
                                [&](const JsonValue& mine) { return mine.contains(one); });
           });
  }
  return *this == pattern;
}

}  // namespace ota::fleet
