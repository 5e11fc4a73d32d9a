#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "esp-client/core/manifest.hpp"
#include "esp-client/core/manifest_fetch.hpp"
#include "esp-client/core/ports.hpp"
#include "esp-client/core/record_codec.hpp"
#include "esp-client/core/update_machine.hpp"

namespace ota::device {

struct Ports {
  Mqtt& mqtt;
  Download& download;
  Slots& slots;
  Clock& clock;
  Storage& storage;
  Observer* observer = nullptr;
  Signatures* signatures = nullptr;  // given: only images with a signed manifest are installed
};

// One running device: joins the update machine to the ports. Made anew at each boot; 10 KB (64 bit), no
// heap. Not thread safe: one thread calls all of it. After Clock::reboot() was called, only destroy it.
class Agent {
 public:
  Agent(const Identity& identity, const Timing& timing, const Ports& ports);
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // Once, before anything else.
  void boot();

  void on_connected();  // connected and subscribed to the offer and ack topics
  void on_disconnected();
  // A message on the device's offer or ack topic. `live`: published now, neither kept by the broker nor
  // waiting there from before this connection. Any bytes may come.
  void on_message(Topic topic, std::string_view payload, bool live);

  // False: the transfer is of no use any more, drop it without a further call.
  [[nodiscard]] bool on_response(const ResponseHead& head);
  [[nodiscard]] bool on_data(const std::uint8_t* bytes, std::size_t count);
  // The transfer ended. `problem`: empty when the server closed it in good order.
  void on_download_end(std::string_view problem);

  // Call it when deadline_ms() has come; earlier and later calls do no harm.
  void poll();
  [[nodiscard]] std::uint64_t deadline_ms() const { return machine_.deadline_ms(); }

  [[nodiscard]] const UpdateMachine& machine() const { return machine_; }

 private:
  void dispatch(Event event);
  [[nodiscard]] bool perform(const Action& action, Event& outcome);
  [[nodiscard]] bool start_download(Event& outcome);
  void verify(Event& outcome);
  void switch_slot(Event& outcome);
  [[nodiscard]] bool is_sound();
  void publish_status(const Action& action);
  void persist();
  void on_offer(std::string_view payload, bool live);
  void weigh(Offer& offer, std::string_view manifest_url);
  void fetch_manifest(const Offer& offer, std::string_view manifest_url);
  void drop_fetch();
  void take_fetched();
  [[nodiscard]] TrustFloor trust_floor() const;
  [[nodiscard]] const char* distrust(const Offer& offer, Vouched& vouched);
  void fail_download(FailureKind kind, std::string_view reason);
  void fail_download(const DownloadFailure& failure);

  Identity identity_;
  Ports ports_;
  UpdateMachine machine_;
  ManifestFetch fetch_;
  DownloadFailure failure_;
  Reason verify_reason_;
  std::array<char, kRecordBytesMax> buffer_{};
};

}  // namespace ota::device
