#include "esp-client/host/watch_log.hpp"

#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

namespace ota::device::host {
namespace {

void write_line(std::ofstream& file, const std::string& id, const char* event, nlohmann::json fields) {
  if (!file.is_open()) return;
  fields["t_ms"] = steady_now_ms();
  fields["device_id"] = id;
  fields["event"] = event;
  // Foreign text may be in it; a log never throws for that.
  file << fields.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
}

}  // namespace

WatchLog::WatchLog(const std::string& events_file) {
  if (events_file.empty()) return;
  events_.open(events_file, std::ios::app);
  if (!events_) throw std::runtime_error("the events file " + events_file + " cannot be written");
}

void WatchLog::transition(const std::string& id, State from, State to, std::string_view why) {
  spdlog::info("{} {} -> {}{}{}", id, state_name(from), state_name(to), why.empty() ? "" : ": ", why);
  write_line(events_, id, "transition",
             {{"from", std::string(state_name(from))},
              {"to", std::string(state_name(to))},
              {"why", std::string(why)}});
}

void WatchLog::settled(const std::string& id, const Result& result, bool recorded) {
  spdlog::info("{} {} {} is {}", id, result.version.view(), status_name(result.status),
               recorded ? "recorded" : "refused by the server");
  write_line(events_, id, "settled",
             {{"version", std::string(result.version.view())},
              {"status", std::string(status_name(result.status))},
              {"recorded", recorded}});
}

void WatchLog::problem(const std::string& id, std::string_view what) {
  spdlog::warn("{} {}", id, what);
  write_line(events_, id, "problem", {{"what", std::string(what)}});
}

void WatchLog::started(const std::string& id, std::string_view running_version) {
  spdlog::info("{} starts with {}", id, running_version);
  write_line(events_, id, "started", {{"version", std::string(running_version)}});
}

}  // namespace ota::device::host
