#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fleet/expected.hpp"

namespace ota::topics {

/// The last level of a device's topics (contract section 4).
enum class DeviceTopic { check, offer, status, ack, presence };

/// A device topic taken apart. The id is what the topic says, already tested against the id grammar.
struct ParsedTopic {
  DeviceTopic kind = DeviceTopic::check;
  std::string device_id;
};

/// All topic names below one root such as "ota/v1". Immutable, thread safe.
class Names {
 public:
  /// `invalid` unless the root is one to eight levels of [A-Za-z0-9._-] without an empty one.
  [[nodiscard]] static fleet::Expected<Names> make(std::string_view root);

  [[nodiscard]] std::string device(std::string_view device_id, DeviceTopic kind) const;
  /// The subscription filter for that topic of every device.
  [[nodiscard]] std::string every_device(DeviceTopic kind) const;
  [[nodiscard]] std::string summary() const { return root_ + "/fleet/summary"; }
  [[nodiscard]] std::string event() const { return root_ + "/fleet/event"; }
  [[nodiscard]] std::string rollout(std::int64_t rollout_id) const;
  [[nodiscard]] std::string service(std::string_view replica) const;

  /// `invalid` when the topic is none of a device's, or its id breaks the grammar.
  [[nodiscard]] fleet::Expected<ParsedTopic> parse(std::string_view topic) const;

 private:
  explicit Names(std::string root) : root_(std::move(root)) {}
  std::string root_;
};

}  // namespace ota::topics
