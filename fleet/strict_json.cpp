#include "fleet/strict_json.hpp"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "fleet/ids.hpp"

namespace ota::fleet {
namespace {

using Json = nlohmann::json;

// Builds a JsonValue from the reader's events; answering false stops the reader at once.
class Builder : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return add({nullptr}); }
  bool boolean(bool value) override { return add({value}); }
  bool number_integer(number_integer_t value) override { return add({std::int64_t{value}}); }
  bool number_unsigned(number_unsigned_t value) override {
    constexpr auto kMax = static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max());
    if (value <= kMax) return add({static_cast<std::int64_t>(value)});
    return add({static_cast<double>(value)});
  }
  bool number_float(number_float_t value, const string_t&) override {
    constexpr double kExactMax = 9007199254740992.0;  // 2^53: beyond it a double is not a count any more
    if (std::floor(value) == value && std::abs(value) <= kExactMax)
      return add({static_cast<std::int64_t>(value)});
    return add({value});
  }
  bool string(string_t& value) override { return no_nul(value) && add({std::move(value)}); }
  bool binary(binary_t&) override { return refuse("binary values are not JSON"); }

  bool start_object(std::size_t) override { return open({JsonValue::Object{}}); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open({JsonValue::Array{}}); }
  bool end_array() override { return close(); }

  bool key(string_t& key) override {
    if (!no_nul(key)) return false;
    const auto& object = std::get<JsonValue::Object>(open_.back().value);
    if (object.count(key) > 0) return refuse("the key '" + printable(key) + "' stands twice");
    keys_.back() = std::move(key);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    // 406 is the library's "number overflow"; all others are about syntax or UTF-8.
    if (error.id == 406) return refuse("a number is out of range");
    return refuse("not valid JSON at byte " + std::to_string(position));
  }

  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] JsonValue take() { return std::move(root_); }

 private:
  bool refuse(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
    return false;
  }
  bool no_nul(const std::string& text) {
    return text.find('\0') == std::string::npos || refuse("a text holds a NUL character");
  }
  bool open(JsonValue container) {
    if (open_.size() >= static_cast<std::size_t>(kJsonDepthMax)) {
      return refuse("nested deeper than " + std::to_string(kJsonDepthMax) + " levels");
    }
    open_.push_back(std::move(container));
    keys_.emplace_back();
    return true;
  }
  bool close() {
    JsonValue done = std::move(open_.back());
    open_.pop_back();
    keys_.pop_back();
    return add(std::move(done));
  }
  bool add(JsonValue value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (auto* array = std::get_if<JsonValue::Array>(&open_.back().value)) {
      array->push_back(std::move(value));
    } else {
      std::get<JsonValue::Object>(open_.back().value).emplace(std::move(keys_.back()), std::move(value));
    }
    return true;
  }

  JsonValue root_;
  std::vector<JsonValue> open_;
  std::vector<std::string> keys_;
  std::string problem_;
};

Json to_library(const JsonValue& value) {
  struct Visitor {
    Json operator()(std::nullptr_t) const { return nullptr; }
    Json operator()(bool v) const { return v; }
    Json operator()(std::int64_t v) const { return v; }
    Json operator()(double v) const { return v; }
    Json operator()(const std::string& v) const { return v; }
    Json operator()(const JsonValue::Array& v) const {
      Json array = Json::array();
      for (const auto& element : v) array.push_back(to_library(element));
      return array;
    }
    Json operator()(const JsonValue::Object& v) const {
      Json object = Json::object();
      for (const auto& [key, member] : v) object[key] = to_library(member);
      return object;
    }
  };
  return std::visit(Visitor{}, value.value);
}

}  // namespace

Expected<JsonValue> parse_json(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) {
    return fail(ErrorKind::too_large, "JSON of " + std::to_string(text.size()) + " bytes; at most " +
                                          std::to_string(bytes_max) + " are taken");
  }
  // The library takes a NUL byte for the end of the text, whatever stands behind it.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    return fail(ErrorKind::malformed, "not valid JSON at byte " + std::to_string(nul + 1) + ", a NUL");
  }
  Builder builder;
  if (!Json::sax_parse(text.begin(), text.end(), &builder))
    return fail(ErrorKind::malformed, builder.problem());
  return builder.take();
}

std::string to_json(const JsonValue& value) {
  return to_library(value).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace ota::fleet
