#include "bridge/batch.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

#include "bridge/device_proofs.hpp"
#include "bridge/report_target.hpp"
#include "fleet/device_flow.hpp"

namespace ota::bridge {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

// Whether the message is the device's own word, and not its last will or ours.
bool is_said_by_device(const fleet::Message& message) {
  return std::holds_alternative<fleet::Check>(message.body) ||
         std::holds_alternative<fleet::Report>(message.body);
}

// The newest facts of all messages of one device, in the order they came.
void merge(fleet::Contact& contact, const fleet::Message& message) {
  contact.seen_at = std::max(contact.seen_at, message.received_at);
  contact.registers = contact.registers || is_said_by_device(message);
  contact.loads = contact.loads || !std::holds_alternative<fleet::Presence>(message.body);
  contact.over_mqtt =
      contact.over_mqtt || (message.channel == fleet::Channel::mqtt && is_said_by_device(message));
  if (const auto* presence = std::get_if<fleet::Presence>(&message.body)) contact.online = presence->online;
  if (const auto* check = std::get_if<fleet::Check>(&message.body)) {
    contact.model = check->model;
    contact.version = check->version;
    if (!check->mac.empty()) contact.mac = check->mac;
    if (!check->reported_json.empty()) contact.reported_json = check->reported_json;
  }
}

// Unique and sorted by id: ON CONFLICT refuses a row twice, and unsorted parallel batches deadlock.
std::vector<fleet::Contact> contacts_of(const std::vector<Errand>& errands) {
  std::map<std::string_view, fleet::Contact> by_id;
  for (const auto& errand : errands) {
    auto [at, is_new] = by_id.try_emplace(errand.message.device_id);
    if (is_new) {
      at->second.device_id = errand.message.device_id;
      at->second.registers = false;
      at->second.loads = false;
    }
    merge(at->second, errand.message);
  }
  std::vector<fleet::Contact> contacts;
  contacts.reserve(by_id.size());
  for (auto& [id, contact] : by_id) contacts.push_back(std::move(contact));
  return contacts;
}

template <class Works>
auto& work_of(Works& works, const std::string& device_id) {
  return *std::lower_bound(
      works.begin(), works.end(), device_id,
      [](const fleet::DeviceWork& work, const std::string& id) { return work.device.id < id; });
}

// One message on its device. A refusal of the message itself is an answer; only the store's failures are
// errors.
Expected<fleet::Answer> apply(const fleet::Message& message, fleet::DeviceWork& work,
                              fleet::UpdateStore& store, const fleet::FlowContext& context) {
  if (work.device.revoked && message.channel != fleet::Channel::internal) {
    return fleet::Answer{fleet::RevokedAnswer{}};
  }
  if (const auto* check = std::get_if<fleet::Check>(&message.body))
    return fleet::on_check(work, *check, context);
  if (const auto* report = std::get_if<fleet::Report>(&message.body)) {
    const auto target = target_of(work, *report, *context.catalog, store);
    if (!target && target.error().kind == ErrorKind::invalid) {
      return fleet::Answer{fleet::ReportAnswer{false, target.error().message}};
    }
    if (!target) return tl::unexpected(target.error());
    return fleet::on_report(work, *report, *target, context);
  }
  if (const auto* expire = std::get_if<fleet::Expire>(&message.body)) {
    auto attempt = find_attempt(work, expire->attempt_id, store);
    if (!attempt) return tl::unexpected(attempt.error());
    return fleet::on_expire(work, {std::move(*attempt)}, context);
  }
  if (std::holds_alternative<fleet::Settle>(message.body)) return fleet::on_settle(work, context);
  return fleet::Answer{fleet::ReportAnswer{true, ""}};
}

// A mac that another device holds stays with it. Each refusal is told by one event, not by one per check.
// Answers what to remember of it once the event is committed; empty: nothing was told.
std::string note_refused_mac(fleet::DeviceWork& work, const fleet::Contact& contact,
                             const std::set<std::string>& told) {
  if (contact.mac.empty() || contact.mac == work.device.mac || !contact.registers || work.device.revoked)
    return {};
  auto refusal = work.device.id + ' ' + contact.mac;
  if (told.count(refusal) > 0) return {};
  fleet::JsonValue::Object data = {{"mac_address", {contact.mac}},
                                   {"reason", {std::string("another device has it")}}};
  work.events.push_back({"mac_refused", work.device.id, "", 0, {std::move(data)}});
  return refusal;
}

void remember_told(std::set<std::string>& told, std::vector<std::string> refusals) {
  constexpr std::size_t kToldMax = 10000;
  for (auto& refusal : refusals) {
    if (told.size() >= kToldMax) told.clear();
    told.insert(std::move(refusal));
  }
}

fleet::BatchChanges changes_of(const std::vector<fleet::DeviceWork>& works, fleet::Time now) {
  fleet::BatchChanges changes;
  for (const auto& work : works) fleet::add_changes(work, now, changes);
  return changes;
}

struct Attempted {
  std::vector<fleet::Answer> answers;
  std::vector<fleet::DeviceWork> works;
  std::vector<std::string> refused_macs;  // told by an event now
  bool events_written = false;
};

// A change that this process has not heard of yet may have been pushed already, by another bridge, to devices
// that are locked here now: an offer made by the old rules would stay.
Expected<std::shared_ptr<const fleet::Catalog>> catalog_for(Writer& writer) {
  auto catalog = writer.catalogs->catalog();
  if (!writer.refresh_catalog || writer.store->catalog_revision() <= catalog->revision()) return catalog;
  if (!writer.refresh_catalog()) return fleet::fail(ErrorKind::unavailable, "the catalog cannot be read");
  return writer.catalogs->catalog();
}

// The whole way of a batch: load, apply, commit.
Expected<Attempted> attempt_batch(const std::vector<Errand>& errands, Writer& writer, fleet::LockWait wait) {
  auto& store = *writer.store;
  const auto contacts = contacts_of(errands);
  auto devices = store.begin(contacts, wait);
  if (!devices) return tl::unexpected(devices.error());
  auto catalog = catalog_for(writer);
  if (!catalog) {
    store.rollback();
    return tl::unexpected(catalog.error());
  }

  Attempted attempted;
  attempted.works.reserve(devices->size());
  for (std::size_t i = 0; i < devices->size(); ++i) {
    attempted.works.emplace_back().device = std::move((*devices)[i]);
    auto refusal = note_refused_mac(attempted.works.back(), contacts[i], writer.refused_macs_told);
    if (!refusal.empty()) attempted.refused_macs.push_back(std::move(refusal));
  }
  fleet::SlotBudget slots([&store](std::int64_t rollout_id, const fleet::PushRate& rate) {
    return store.free_slots(rollout_id, rate);
  });
  fleet::FlowContext context{std::move(*catalog),
                             {writer.sha256, {}, writer.local_clock},
                             [&store] { return store.next_attempt_id(); },
                             &slots};
  for (const auto& errand : errands) {
    context.circumstances.now = errand.message.received_at;
    auto answer = apply(errand.message, work_of(attempted.works, errand.message.device_id), store, context);
    if (!answer) {
      store.rollback();
      return tl::unexpected(answer.error());
    }
    attempted.answers.push_back(std::move(*answer));
  }
  const auto changes = changes_of(attempted.works, context.now());
  attempted.events_written = !changes.events.empty();
  if (auto committed = store.commit(changes); !committed) return tl::unexpected(committed.error());
  remember_told(writer.refused_macs_told, std::move(attempted.refused_macs));
  return attempted;
}

// What throws is a bug of ours or of a library, and one message's: as for a row that is refused, the others
// must not go without an answer.
Expected<Attempted> attempt_guarded(const std::vector<Errand>& errands, Writer& writer,
                                    fleet::LockWait wait) {
  try {
    return attempt_batch(errands, writer, wait);
  } catch (const std::exception& error) {
    spdlog::error("batch of {} messages: {}", errands.size(), error.what());
    writer.store->rollback();
    return fleet::fail(ErrorKind::internal, std::string("unexpected: ") + error.what());
  }
}

void log_decision(const fleet::Message& message, const fleet::Answer& answer) {
  if (!spdlog::should_log(spdlog::level::debug)) return;
  const char* channel = message.channel == fleet::Channel::mqtt ? "mqtt" : "rest";
  if (const auto* offer = std::get_if<fleet::OfferAnswer>(&answer)) {
    spdlog::debug("{} {}: runs {}, offered {} (attempt {}, rollout {})", channel, message.device_id,
                  offer->current_version, offer->release->version, offer->attempt_id, offer->rollout_id);
  } else if (const auto* none = std::get_if<fleet::NoUpdateAnswer>(&answer)) {
    spdlog::debug("{} {}: runs {}, no update: {}", channel, message.device_id, none->current_version,
                  none->reason);
  } else if (const auto* told = std::get_if<fleet::ReportAnswer>(&answer)) {
    const auto* report = std::get_if<fleet::Report>(&message.body);
    if (report == nullptr) return;
    spdlog::debug("{} {}: reports {} of {}: {}", channel, message.device_id, fleet::to_string(report->status),
                  report->version, told->recorded ? "recorded" : told->reason);
  }
}

void append(std::vector<Errand>& all, std::vector<Errand> more) {
  std::move(more.begin(), more.end(), std::back_inserter(all));
}

void join(BatchOutcome& outcome, BatchOutcome half) {
  append(outcome.postponed, std::move(half.postponed));
  append(outcome.held, std::move(half.held));
  outcome.events_written = outcome.events_written || half.events_written;
}

// Devices whose standing offer goes to the broker as the answer to their own check.
std::set<std::string> answered_on_broker(const std::vector<Errand>& errands, const Attempted& attempted) {
  std::set<std::string> devices;
  for (std::size_t i = 0; i < errands.size(); ++i) {
    const auto* offer = std::get_if<fleet::OfferAnswer>(&attempted.answers[i]);
    if (offer == nullptr || !offer->retain || errands[i].message.channel != fleet::Channel::mqtt) continue;
    const auto& device = work_of(attempted.works, errands[i].message.device_id).device;
    if (device.offer && device.offer->wanted_revision == offer->revision) devices.insert(device.id);
  }
  return devices;
}

BatchOutcome answer(std::vector<Errand> errands, const Attempted& attempted, Writer& writer) {
  const auto answered = answered_on_broker(errands, attempted);
  for (const auto& work : attempted.works) {
    if (work.offer_changed && answered.count(work.device.id) == 0) writer.offer_changed(work.device);
  }
  for (std::size_t i = 0; i < errands.size(); ++i) {
    const auto* none = std::get_if<fleet::NoUpdateAnswer>(&attempted.answers[i]);
    if (none != nullptr && none->waits_for_rollout != 0) {
      writer.turned_away(none->waits_for_rollout,
                         work_of(attempted.works, errands[i].message.device_id).device);
    }
    log_decision(errands[i].message, attempted.answers[i]);
    errands[i].reply(attempted.answers[i]);
  }
  return {{}, {}, attempted.events_written};
}

bool are_of_one_device(const std::vector<Errand>& errands) {
  return std::all_of(errands.begin(), errands.end(), [&](const Errand& errand) {
    return errand.message.device_id == errands.front().message.device_id;
  });
}

// Takes the second half of the devices out of `errands`, of one device the second half of its messages: what
// a half leaves for later must not be overtaken by the other half.
std::vector<Errand> split(std::vector<Errand>& errands) {
  auto middle = std::next(errands.begin(), static_cast<std::ptrdiff_t>(errands.size() / 2));
  if (!are_of_one_device(errands)) {
    std::set<std::string> devices;
    for (const auto& errand : errands) devices.insert(errand.message.device_id);
    const std::string first_of_second =
        *std::next(devices.begin(), static_cast<std::ptrdiff_t>(devices.size() / 2));
    middle = std::stable_partition(errands.begin(), errands.end(), [&](const Errand& errand) {
      return errand.message.device_id < first_of_second;
    });
  }
  std::vector<Errand> second(std::make_move_iterator(middle), std::make_move_iterator(errands.end()));
  errands.erase(middle, errands.end());
  return second;
}

// What running one batch has cost.
struct LockWaits {
  // Finding one locked row among 500 takes 9. Where it takes many more, a table is locked and not a row.
  static constexpr int kMax = 24;
  int count = 0;
};

BatchOutcome run_proven(std::vector<Errand> errands, Writer& writer, fleet::LockWait wait,
                        LockWaits& lock_waits) {
  auto attempted = attempt_guarded(errands, writer, wait);
  if (attempted) return answer(std::move(errands), *attempted, writer);

  const auto& error = attempted.error();
  if (error.met_lock && are_of_one_device(errands)) return {{}, std::move(errands), false};
  const bool is_narrowed = error.met_lock && ++lock_waits.count <= LockWaits::kMax;
  const bool is_away = error.kind == ErrorKind::unavailable || error.kind == ErrorKind::in_doubt;
  if (is_away && !is_narrowed) return {std::move(errands), {}, false};
  if (errands.size() == 1) {
    errands.front().reply(tl::unexpected(error));
    return {};
  }
  auto second = split(errands);
  const auto next_wait = is_narrowed ? fleet::LockWait::brief : wait;
  auto outcome = run_proven(std::move(errands), writer, next_wait, lock_waits);
  join(outcome, run_proven(std::move(second), writer, next_wait, lock_waits));
  return outcome;
}

}  // namespace

BatchOutcome run_batch(std::vector<Errand> errands, Writer& writer, fleet::LockWait wait) {
  if (!turn_away_unproven(errands, *writer.store)) return {std::move(errands), {}, false};
  LockWaits lock_waits;
  return errands.empty() ? BatchOutcome{} : run_proven(std::move(errands), writer, wait, lock_waits);
}

}  // namespace ota::bridge
