#include "sql/parameters.hpp"

#include "sql/errors.hpp"

namespace ota::sql {

void ArrayLiteral::next() {
  if (!elements_.empty()) elements_ += ',';
}

ArrayLiteral& ArrayLiteral::add(std::string_view text) {
  next();
  elements_ += '"';
  for (const char c : text) {
    if (c == '\0') throw Refusal(fleet::ErrorKind::invalid, "text must not contain a NUL byte");
    if (c == '"' || c == '\\') elements_ += '\\';
    elements_ += c;
  }
  elements_ += '"';
  return *this;
}

ArrayLiteral& ArrayLiteral::add_or_null(std::string_view text) {
  return text.empty() ? add_null() : add(text);
}

ArrayLiteral& ArrayLiteral::add(std::int64_t number) {
  next();
  elements_ += std::to_string(number);
  return *this;
}

ArrayLiteral& ArrayLiteral::add(bool value) {
  next();
  elements_ += value ? 't' : 'f';
  return *this;
}

ArrayLiteral& ArrayLiteral::add_null() {
  next();
  elements_ += "NULL";
  return *this;
}

const std::string& without_nul(const std::string& text) {
  if (text.find('\0') != std::string::npos) {
    throw Refusal(fleet::ErrorKind::invalid, "text must not contain a NUL byte");
  }
  return text;
}

fleet::Time time_from(std::int64_t microseconds) {
  return fleet::Time(std::chrono::microseconds(microseconds));
}

}  // namespace ota::sql
