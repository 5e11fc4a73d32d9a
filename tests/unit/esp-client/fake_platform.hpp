#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "esp-client/core/agent.hpp"

namespace ota::device::tests {

// What a power cut leaves.
struct Flash {
  std::array<std::string, 2> slots;
  std::string record;
  std::size_t active = 0;
  std::string version = "1.0.0";
  std::string previous_version;
  bool on_trial = false;
  bool rolled_back = false;
  unsigned trial_boots = 0;
};

struct Message {
  Topic topic;
  std::string payload;
  bool retained;
};

// A stand-in for SHA-256: the core only compares.
inline Digest fake_digest(const std::string& bytes) {
  std::uint64_t hash = 1469598103934665603ULL;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  Digest digest{};
  for (std::size_t i = 0; i < digest.size(); ++i) {
    digest[i] = static_cast<std::uint8_t>(hash >> (8 * (i % 8)));
  }
  return digest;
}

inline std::string fake_sha256_hex(const std::string& bytes) {
  std::string hex;
  for (const std::uint8_t byte : fake_digest(bytes)) {
    hex += "0123456789abcdef"[byte >> 4U];
    hex += "0123456789abcdef"[byte & 0xFU];
  }
  return hex;
}

// All five ports and an observer over one Flash. When the power is cut, nothing has an effect any more
// until a new platform is made on the same flash.
class FakePlatform final : public Mqtt,
                           public Download,
                           public Slots,
                           public Clock,
                           public Storage,
                           public Observer {
 public:
  explicit FakePlatform(Flash& flash, std::uint64_t now_ms = 1'000'000)
      : flash_(flash),
        now_ms_(now_ms),
        agent_(identity(), timing, Ports{*this, *this, *this, *this, *this, this, signatures}) {
    boot_loader();
    agent_.boot();
  }

  static Identity identity() {
    Identity id;
    id.device_id.append_cut("esp32_001");
    id.model.append_cut("esp32");
    id.built_at_s = built_at_s;
    return id;
  }

  // --- what a test does
  Agent& agent() { return agent_; }
  void advance(std::uint64_t ms) {
    now_ms_ += ms;
    if (powered) agent_.poll();
  }
  // Goes to the next deadline; false when there is none.
  bool advance_to_deadline() {
    const std::uint64_t due_ms = agent_.deadline_ms();
    if (due_ms == UINT64_MAX) return false;
    if (due_ms > now_ms_) now_ms_ = due_ms;
    if (powered) agent_.poll();
    return true;
  }
  void offer(const std::string& payload, bool live = true) {
    agent_.on_message(Topic::kOffer, payload, live);
  }
  void ack(const std::string& report_id, bool recorded = true) {
    agent_.on_message(Topic::kAck,
                      R"({"report_id":")" + report_id + R"(","recorded":)" + (recorded ? "true}" : "false}"),
                      true);
  }
  // The whole transfer, from where it was asked for.
  void serve(const std::string& image) {
    const std::uint64_t from = download_offset;
    downloading = false;
    ResponseHead head;
    head.status = from > 0 ? 206 : 200;
    const std::string range = "bytes " + std::to_string(from) + "-" + std::to_string(image.size() - 1) + "/" +
                              std::to_string(image.size());
    if (from > 0) head.content_range = range;
    if (!agent_.on_response(head)) return;
    if (feed(image.substr(static_cast<std::size_t>(from)))) agent_.on_download_end("");
  }
  bool respond(unsigned status) {
    ResponseHead head;
    head.status = status;
    return agent_.on_response(head);
  }
  bool feed(const std::string& bytes) {
    for (std::size_t at = 0; at < bytes.size(); at += 1000) {
      const std::size_t count = std::min<std::size_t>(1000, bytes.size() - at);
      if (!powered || !agent_.on_data(reinterpret_cast<const std::uint8_t*>(bytes.data()) + at, count))
        return false;
    }
    return powered;
  }
  [[nodiscard]] std::string last(Topic topic) const {
    for (auto message = published.rbegin(); message != published.rend(); ++message) {
      if (message->topic == topic) return message->payload;
    }
    return "";
  }
  [[nodiscard]] std::size_t count(Topic topic) const {
    return static_cast<std::size_t>(std::count_if(
        published.begin(), published.end(), [&](const Message& message) { return message.topic == topic; }));
  }

  // --- what a test reads and sets
  static inline Timing timing = {};
  static inline Signatures* signatures = nullptr;  // none: unsigned images are taken
  static inline std::uint64_t built_at_s = 0;
  static inline int writes_left = -1;  // until the power is cut; negative: never
  bool powered = true;
  std::vector<Message> published;
  bool downloading = false;
  std::string download_url;
  std::uint64_t download_offset = 0;
  unsigned stops = 0;
  unsigned erasures = 0;
  unsigned saves = 0;
  std::optional<Reboot> reboot_wanted;
  std::vector<std::pair<Result, bool>> settled;
  std::vector<std::string> problems;
  bool activate_works = true;
  bool open_works = true;
  bool write_works = true;
  bool save_works = true;
  std::uint64_t slot_bytes = kSlotBytes;
  static constexpr std::uint64_t kSlotBytes = 100'000;

  // --- ports
  void publish(Topic topic, std::string_view payload, bool retained) override {
    if (powered) published.push_back({topic, std::string(payload), retained});
  }
  void start(std::string_view url, std::uint64_t offset_bytes) override {
    if (!powered) return;
    downloading = true;
    download_url = url;
    download_offset = offset_bytes;
  }
  void stop() override {
    downloading = false;
    ++stops;
  }
  BootInfo boot_info() override {
    BootInfo info;
    info.running_version.append_cut(flash_.version);
    info.on_trial = flash_.on_trial;
    info.rolled_back = flash_.rolled_back;
    info.slot_bytes = slot_bytes;
    return info;
  }
  [[nodiscard]] bool open(std::uint64_t offset_bytes) override {
    std::string& slot = other_slot();
    if (!open_works || slot.size() < offset_bytes || !spend_write()) return false;
    if (offset_bytes == 0) ++erasures;
    slot.resize(static_cast<std::size_t>(offset_bytes));
    open_ = true;
    return true;
  }
  [[nodiscard]] bool write(const std::uint8_t* bytes, std::size_t count) override {
    if (!write_works || !open_) return false;
    const bool whole = spend_write();
    if (!whole && !cut_now_) return false;
    cut_now_ = false;
    other_slot().append(reinterpret_cast<const char*>(bytes), whole ? count : count / 2);
    return whole;
  }
  [[nodiscard]] bool sha256(std::uint64_t size_bytes, Digest& out) override {
    if (!powered || other_slot().size() < size_bytes) return false;
    out = fake_digest(other_slot().substr(0, static_cast<std::size_t>(size_bytes)));
    return true;
  }
  [[nodiscard]] bool activate(const Version& version) override {
    if (!activate_works || !spend_write()) return false;
    flash_.previous_version = std::exchange(flash_.version, std::string(version.view()));
    flash_.active = 1 - flash_.active;
    flash_.on_trial = true;
    flash_.trial_boots = 0;
    flash_.rolled_back = false;
    return true;
  }
  [[nodiscard]] bool confirm() override {
    if (!spend_write()) return false;
    flash_.on_trial = false;
    flash_.rolled_back = false;
    return true;
  }
  std::uint64_t now_ms() override { return now_ms_; }
  std::uint64_t random_u64() override { return ++random_; }
  void reboot(Reboot how) override {
    if (powered) reboot_wanted = how;
  }
  [[nodiscard]] std::size_t load(char* buffer, std::size_t capacity) override {
    if (flash_.record.size() > capacity) return 0;
    std::copy(flash_.record.begin(), flash_.record.end(), buffer);
    return flash_.record.size();
  }
  [[nodiscard]] bool save(std::string_view blob) override {
    ++saves;
    if (!save_works || !spend_write()) return false;
    flash_.record = blob;
    return true;
  }
  void on_transition(State, State, std::string_view) override {}
  void on_settled(const Result& result, bool recorded) override { settled.emplace_back(result, recorded); }
  void on_problem(std::string_view what) override { problems.emplace_back(what); }

 private:
  static constexpr unsigned kTrialBootsMax = 3;

  std::string& other_slot() { return flash_.slots[1 - flash_.active]; }

  bool spend_write() {
    if (!powered) return false;
    if (writes_left < 0 || writes_left-- > 0) return true;
    powered = false;
    cut_now_ = true;
    return false;
  }

  void boot_loader() {
    if (!flash_.on_trial) return;
    if (flash_.trial_boots++ < kTrialBootsMax) return;
    flash_.active = 1 - flash_.active;
    flash_.version = flash_.previous_version;
    flash_.on_trial = false;
    flash_.rolled_back = true;
  }

  Flash& flash_;
  std::uint64_t now_ms_;
  static inline std::uint64_t random_ = 0x5EED;  // never the same in two boots
  bool cut_now_ = false;
  bool open_ = false;
  Agent agent_;
};

inline std::string image_of(std::size_t bytes, char seed = 'x') {
  std::string image(bytes, seed);
  for (std::size_t i = 0; i < bytes; ++i)
    image[i] = static_cast<char>(image[i] + static_cast<char>(i * 31 % 97));
  return image;
}

// An offer as the bridge writes it.
inline std::string offer_json(const std::string& image, const std::string& version = "1.1.0",
                              int attempt = 257, const std::string& extra = "") {
  return R"({"update_available":true,"current_version":"1.0.0","latest_version":")" + version +
         R"(","download_url":"/api/firmware/download/)" + version + R"(","file_size":)" +
         std::to_string(image.size()) + R"(,"checksum_sha256":")" + fake_sha256_hex(image) +
         R"(","release_notes":"","attempt_id":)" + std::to_string(attempt) + extra + "}";
}

// A value out of one of our own flat messages.
inline std::string value_of(const std::string& json, const std::string& key) {
  const std::string mark = "\"" + key + "\":";
  const std::size_t at = json.find(mark);
  if (at == std::string::npos) return "";
  std::size_t from = at + mark.size();
  const bool quoted = json[from] == '"';
  if (quoted) ++from;
  return json.substr(from, json.find_first_of(quoted ? "\"" : ",}", from) - from);
}

}  // namespace ota::device::tests
