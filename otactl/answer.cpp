#include "otactl/answer.hpp"

#include <iostream>

#include "otactl/command.hpp"

namespace ota::otactl {
namespace {

using nlohmann::json;

[[noreturn]] void end_unread(const char* member) {
  end_with("the server's answer is not what otactl understands (its \"" + std::string(member) +
           "\" is missing or of another kind); is its version newer, or this no OTA Bridge?");
}

// Null stands for a member that is missing.
const json& member_of(const json& answer, const char* member) {
  static const json missing;
  if (!answer.is_object()) end_unread(member);
  const auto found = answer.find(member);
  return found == answer.end() ? missing : *found;
}

}  // namespace

std::string text_of(const json& answer, const char* member) {
  const auto& value = member_of(answer, member);
  if (!value.is_string()) end_unread(member);
  return value.get<std::string>();
}

std::string optional_text_of(const json& answer, const char* member) {
  return member_of(answer, member).is_null() ? std::string() : text_of(answer, member);
}

std::int64_t number_of(const json& answer, const char* member) {
  const auto& value = member_of(answer, member);
  if (!value.is_number_integer()) end_unread(member);
  return value.get<std::int64_t>();
}

const json& list_of(const json& answer, const char* member) {
  const auto& value = member_of(answer, member);
  if (!value.is_array()) end_unread(member);
  return value;
}

void say(const json& answer) {
  std::cout << text_of(answer, "message") << '\n';
}

}  // namespace ota::otactl
