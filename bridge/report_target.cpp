#include "bridge/report_target.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "fleet/version.hpp"

namespace ota::bridge {
namespace {

using fleet::Attempt;
using fleet::DeviceWork;
using fleet::ErrorKind;
using fleet::Expected;
using fleet::Report;
using fleet::ReportTarget;

const Attempt* changed_here(const DeviceWork& work, std::int64_t attempt_id) {
  const auto at = std::find_if(work.attempts.begin(), work.attempts.end(),
                               [&](const Attempt& attempt) { return attempt.id == attempt_id; });
  return at == work.attempts.end() ? nullptr : &*at;
}

// A report names the attempt's version, so that a result is never filed under one it is not about.
Expected<ReportTarget> about_same_version(std::optional<Attempt> attempt, const std::string& version,
                                          const Report& report) {
  if (fleet::compare_versions(version, report.version) == fleet::Order::same)
    return ReportTarget{std::move(attempt)};
  return fleet::fail(ErrorKind::invalid, "attempt_id " + std::to_string(*report.attempt_id) +
                                             " is of version " + version + ", and firmware_version says " +
                                             report.version);
}

// The newest attempt of the version but for the one of id `except`, an open one before one that has ended.
// What this batch has made of it counts, not what is stored.
Expected<std::optional<Attempt>> newest_of_version(const DeviceWork& work, const std::string& version,
                                                   std::int64_t except, fleet::UpdateStore& store) {
  const auto newest_here = [&](bool open_only) -> std::optional<Attempt> {
    const auto at = std::find_if(work.attempts.rbegin(), work.attempts.rend(), [&](const Attempt& a) {
      return a.version == version && a.id != except && !(open_only && fleet::is_final(a.status));
    });
    return at == work.attempts.rend() ? std::nullopt : std::optional(*at);
  };
  if (auto opened = newest_here(true)) return opened;
  auto stored = store.find_attempt_at(work.device.id, version, except);
  if (!stored || !*stored) return stored ? Expected<std::optional<Attempt>>(newest_here(false)) : stored;
  const auto* changed = changed_here(work, (*stored)->id);
  return changed == nullptr ? *stored : *changed;
}

// An id that is none of the device's belongs to an attempt that a newer offer replaced before its begin was
// heard: until then it stood in the offer alone. The report is of its version then, and never of the attempt
// that came instead.
Expected<ReportTarget> unheard_target(const DeviceWork& work, const Report& report,
                                      const fleet::Catalog& catalog, fleet::UpdateStore& store) {
  const auto& device = work.device;
  auto found = newest_of_version(work, report.version, device.offer ? device.offer->attempt_id : 0, store);
  if (!found) return tl::unexpected(found.error());
  if (*found || catalog.find_known(device.model, report.version) != nullptr)
    return ReportTarget{std::move(*found), true};
  return fleet::fail(ErrorKind::invalid, "attempt_id " + std::to_string(*report.attempt_id) +
                                             " is none of this device's, and there is no release " +
                                             report.version +
                                             " for its model; leave it out or use the offer's");
}

Expected<ReportTarget> named_target(const DeviceWork& work, const Report& report,
                                    const fleet::Catalog& catalog, fleet::UpdateStore& store) {
  const auto& device = work.device;
  if (device.offer && device.offer->attempt_id == *report.attempt_id)
    return about_same_version(device.attempt, device.offer->version, report);
  auto found = find_attempt(work, *report.attempt_id, store);
  if (!found) return tl::unexpected(found.error());
  if (*found) return about_same_version(*found, (*found)->version, report);
  return unheard_target(work, report, catalog, store);
}

}  // namespace

Expected<std::optional<Attempt>> find_attempt(const DeviceWork& work, std::int64_t attempt_id,
                                              fleet::UpdateStore& store) {
  const auto& device = work.device;
  if (device.offer && device.offer->attempt_id == attempt_id && device.attempt) return device.attempt;
  if (const auto* changed = changed_here(work, attempt_id)) return *changed;
  return store.find_attempt(device.id, attempt_id);
}

Expected<ReportTarget> target_of(const DeviceWork& work, const Report& report, const fleet::Catalog& catalog,
                                 fleet::UpdateStore& store) {
  if (report.attempt_id) return named_target(work, report, catalog, store);
  const auto& device = work.device;
  const bool offers_that = device.offer && device.offer->version == report.version;
  const bool begins = offers_that && device.offer->open && !device.attempt;
  const bool is_under_way = offers_that && device.attempt && !fleet::is_final(device.attempt->status);
  const bool is_done = offers_that && device.attempt && device.attempt->status == fleet::Status::success &&
                       device.version == report.version;
  if (begins || is_under_way || is_done) return ReportTarget{device.attempt};
  auto found = newest_of_version(work, report.version, 0, store);
  if (!found) return tl::unexpected(found.error());
  return ReportTarget{std::move(*found)};
}

}  // namespace ota::bridge
