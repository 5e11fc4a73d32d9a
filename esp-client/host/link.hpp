#pragma once
#include <cstdint>

#include "esp-client/core/agent.hpp"

namespace ota::device::host {

// How a simulated device reaches its server: the Mqtt port and its life between two boots.
class Link : public Mqtt {
 public:
  virtual ~Link() = default;

  virtual void power_on(Agent& agent) = 0;
  // Says goodbye (presence offline) and drops everything in flight, as a reboot does.
  virtual void power_off() = 0;
  virtual void poll(std::uint64_t now_ms) = 0;
};

}  // namespace ota::device::host
