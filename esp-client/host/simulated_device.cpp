#include "esp-client/host/simulated_device.hpp"

#include <sys/random.h>

#include <filesystem>
#include <stdexcept>

namespace ota::device::host {

SimulatedDevice::SimulatedDevice(const DeviceOptions& options, HttpClient& http, const MakeLink& make_link,
                                 DeviceWatcher& watcher)
    : options_(options),
      id_(options.identity.device_id.view()),
      watcher_(watcher),
      nvs_(options.folder, options.durable),
      slots_(options.folder, nvs_, options.slot_bytes, options.durable, options.fault),
      download_(http, options.http_base_url, options.credentials) {
  std::filesystem::create_directories(options.folder);
  if (!nvs_.read(options.first_version)) {
    throw std::runtime_error("the state of " + id_ + " in " + options.folder + " cannot be read or written");
  }
  link_ = make_link(id_, *this);
}

SimulatedDevice::~SimulatedDevice() {
  power_off();
}

void SimulatedDevice::power_on() {
  if (!slots_.boot_loader(last_reboot_ == Reboot::kIntoOldImage))
    on_problem("the boot state could not be stored");
  last_reboot_ = Reboot::kNormal;
  reboot_wanted_.reset();
  agent_.emplace(options_.identity, options_.timing,
                 Ports{*link_, download_, slots_, *this, nvs_, this, options_.signatures});
  watcher_.started(id_, nvs_.boot_state().version);
  agent_->boot();
  download_.connect_to(&*agent_);
  link_->power_on(*agent_);
}

void SimulatedDevice::power_off() {
  if (!agent_) return;
  download_.stop();
  download_.connect_to(nullptr);
  link_->power_off();
  agent_.reset();
}

void SimulatedDevice::poll(std::uint64_t now_ms) {
  if (!agent_) {
    if (now_ms >= power_on_ms_) power_on();
    return;
  }
  if (!reboot_wanted_) link_->poll(now_ms);
  if (!reboot_wanted_) download_.poll();
  if (!reboot_wanted_) agent_->poll();
  if (!reboot_wanted_) return;
  last_reboot_ = *reboot_wanted_;
  power_off();
  power_on_ms_ = now_ms + options_.reboot_ms;
}

std::uint64_t SimulatedDevice::now_ms() {
  return steady_now_ms();
}

std::uint64_t SimulatedDevice::random_u64() {
  std::uint64_t value = 0;
  while (getrandom(&value, sizeof value, 0) != static_cast<ssize_t>(sizeof value)) {
  }
  return value;
}

// Often called from within a library's callback, where nothing may be torn down: poll() does it.
void SimulatedDevice::reboot(Reboot how) {
  reboot_wanted_ = how;
}

void SimulatedDevice::on_transition(State from, State to, std::string_view why) {
  watcher_.transition(id_, from, to, why);
}

void SimulatedDevice::on_settled(const Result& result, bool recorded) {
  last_settled_ = result;
  watcher_.settled(id_, result, recorded);
}

void SimulatedDevice::on_problem(std::string_view what) {
  watcher_.problem(id_, what);
}

}  // namespace ota::device::host
