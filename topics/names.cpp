#include "topics/names.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "fleet/ids.hpp"

namespace ota::topics {
namespace {

using fleet::ErrorKind;

constexpr std::array<std::pair<DeviceTopic, std::string_view>, 5> kKinds = {{
    {DeviceTopic::check, "check"},
    {DeviceTopic::offer, "offer"},
    {DeviceTopic::status, "status"},
    {DeviceTopic::ack, "ack"},
    {DeviceTopic::presence, "presence"},
}};

std::string_view name_of(DeviceTopic kind) {
  return kKinds[static_cast<std::size_t>(kind)].second;
}

bool is_root_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-' || c == '/';
}

}  // namespace

fleet::Expected<Names> Names::make(std::string_view root) {
  const bool clean = !root.empty() && root.size() <= 128 && root.front() != '/' && root.back() != '/' &&
                     root.find("//") == std::string_view::npos &&
                     std::all_of(root.begin(), root.end(), is_root_char) &&
                     std::count(root.begin(), root.end(), '/') < 8;
  if (!clean) {
    return fleet::fail(ErrorKind::invalid,
                       "topic root '" + fleet::printable(root) +
                           "' must be levels of letters, digits and . _ - such as ota/v1");
  }
  return Names(std::string(root));
}

std::string Names::device(std::string_view device_id, DeviceTopic kind) const {
  return root_ + "/device/" + std::string(device_id) + '/' + std::string(name_of(kind));
}

std::string Names::every_device(DeviceTopic kind) const {
  return device("+", kind);
}

std::string Names::rollout(std::int64_t rollout_id) const {
  return root_ + "/fleet/rollout/" + std::to_string(rollout_id);
}

std::string Names::service(std::string_view replica) const {
  return root_ + "/service/" + std::string(replica);
}

fleet::Expected<ParsedTopic> Names::parse(std::string_view topic) const {
  const std::string prefix = root_ + "/device/";
  const auto last = topic.rfind('/');
  if (topic.substr(0, prefix.size()) != prefix || last == std::string_view::npos || last < prefix.size()) {
    return fleet::fail(ErrorKind::invalid,
                       "topic '" + fleet::printable(topic) + "' is not " + prefix + "{id}/{what}");
  }
  auto id = fleet::parse_id("device id", topic.substr(prefix.size(), last - prefix.size()));
  if (!id) return tl::unexpected(id.error());
  const auto name = topic.substr(last + 1);
  for (const auto& [kind, kind_name] : kKinds) {
    if (kind_name == name) return ParsedTopic{kind, std::move(*id)};
  }
  return fleet::fail(ErrorKind::invalid,
                     "topic '" + fleet::printable(topic) + "' is not one the bridge listens to");
}

}  // namespace ota::topics
