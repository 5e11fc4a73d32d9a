#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "esp-client/core/model.hpp"
#include "esp-client/core/update_table.hpp"

// The five ports between the core and a platform. A port never calls back into the agent from within one of
// these calls: answers, bytes and connections are handed to the agent later, from the platform's own loop,
// and all from one thread. No port throws.
namespace ota::device {

enum class Topic : std::uint8_t { kCheck, kStatus, kPresence, kOffer, kAck };

// The last part of `{root}/device/{id}/...` (contract section 4).
[[nodiscard]] constexpr std::string_view topic_suffix(Topic topic) {
  constexpr std::array<std::string_view, 5> kSuffixes = {"check", "status", "presence", "offer", "ack"};
  return kSuffixes[static_cast<std::size_t>(topic)];
}

// Outgoing messages, QoS 1. Only called while connected. A message that is lost is no harm: whatever
// matters is sent again until it is answered.
class Mqtt {
 public:
  virtual void publish(Topic topic, std::string_view payload, bool retained) = 0;

 protected:
  ~Mqtt() = default;
};

// One HTTP(S) transfer at a time. The outcome goes to Agent::on_response, on_data and on_download_end.
class Download {
 public:
  // GET `url` (relative ones start with "/") with `Range: bytes=<offset>-` when offset_bytes > 0.
  virtual void start(std::string_view url, std::uint64_t offset_bytes) = 0;
  // Nothing of the transfer reaches the agent after this. Also called when none is under way.
  virtual void stop() = 0;

 protected:
  ~Download() = default;
};

using Digest = std::array<std::uint8_t, 32>;

// The two image slots and the boot loader's choice between them.
class Slots {
 public:
  virtual BootInfo boot_info() = 0;
  // Makes the other slot ready for writing from offset_bytes on, keeping what is before it; at 0, which is
  // asked for only once the server has begun to answer, it is erased. False: the first offset_bytes are not
  // there.
  [[nodiscard]] virtual bool open(std::uint64_t offset_bytes) = 0;
  [[nodiscard]] virtual bool write(const std::uint8_t* bytes, std::size_t count) = 0;
  // SHA-256 of the other slot's first size_bytes, read back from the flash; what it read is durable.
  [[nodiscard]] virtual bool sha256(std::uint64_t size_bytes, Digest& out) = 0;
  // The other slot is started on trial from the next boot on: one atomic write.
  [[nodiscard]] virtual bool activate(const Version& version) = 0;
  // The running image stays: no trial, no rollback flag any more. One atomic write.
  [[nodiscard]] virtual bool confirm() = 0;

 protected:
  ~Slots() = default;
};

enum class Reboot : std::uint8_t { kNormal, kIntoOldImage };

class Clock {
 public:
  virtual std::uint64_t now_ms() = 0;      // monotonic, from any start
  virtual std::uint64_t random_u64() = 0;  // from the platform's hardware or system generator
  // May return; the agent does nothing more after it.
  virtual void reboot(Reboot how) = 0;

 protected:
  ~Clock() = default;
};

// One small blob that a power cut leaves either old or new, never torn.
class Storage {
 public:
  // Returns its size, or 0 when there is none or it is larger than `capacity`.
  [[nodiscard]] virtual std::size_t load(char* buffer, std::size_t capacity) = 0;
  [[nodiscard]] virtual bool save(std::string_view blob) = 0;  // durable when it returns true

 protected:
  ~Storage() = default;
};

// Optional: somebody who watches, a log for instance.
class Observer {
 public:
  virtual void on_transition(State from, State to, std::string_view why) = 0;
  virtual void on_settled(const Result& result, bool recorded) = 0;
  virtual void on_problem(std::string_view what) = 0;

 protected:
  ~Observer() = default;
};

}  // namespace ota::device
