#include <algorithm>
#include <limits>

#include "fleet/iso_time.hpp"
#include "fleet/rollout_engine.hpp"
#include "fleet/strict_json.hpp"
#include "http/admin_replies.hpp"
#include "http/api.hpp"
#include "http/params.hpp"
#include "http/replies.hpp"
#include "http/rollout_body.hpp"

namespace ota::http {
namespace {

using fleet::ErrorKind;
using fleet::Expected;
using fleet::RolloutCommand;

Expected<std::int64_t> rollout_id(std::string_view text) {
  if (const auto id = parse_whole(text, 1, std::numeric_limits<std::int64_t>::max())) return *id;
  return fleet::fail(ErrorKind::invalid, "the rollout's id must be a whole number from 1");
}

Expected<fleet::RolloutQuery> read_query(const Params& params) {
  fleet::RolloutQuery query;
  const auto state = optional_param(params, "state");
  if (!state) return tl::unexpected(state.error());
  if (!state->empty()) {
    query.state = fleet::parse_rollout_state(*state);
    if (!query.state) {
      return fleet::fail(ErrorKind::invalid,
                         "state must be one of scheduled, running, paused, finished, aborted, rolled_back");
    }
  }
  auto model = optional_id_param(params, "device_model");
  if (!model) return tl::unexpected(model.error());
  query.model = std::move(*model);
  const auto limit = limit_param(params, 50, fleet::kListRowsMax);
  if (!limit) return tl::unexpected(limit.error());
  query.count_max = *limit;
  const auto cursor = cursor_param(params);
  if (!cursor) return tl::unexpected(cursor.error());
  query.before_id = *cursor;
  return query;
}

// What the engine says of the rollout now, in words.
std::string verdict_on(const fleet::RolloutRow& row, const fleet::RolloutProgress& progress,
                       fleet::Time now) {
  fleet::Rollout rollout;
  rollout.id = row.id;
  rollout.state = row.state;
  rollout.target.percentage = row.percentage;
  rollout.policy = row.policy;
  rollout.stage = row.stage;
  rollout.stage_entered_at = fleet::parse_iso_time(row.stage_entered_at).value_or(now);
  const auto verdict = fleet::evaluate(rollout, progress, now);
  if (const auto* stay = std::get_if<fleet::Stay>(&verdict)) return stay->why;
  if (const auto* halt = std::get_if<fleet::Halt>(&verdict)) return "is about to halt: " + halt->why;
  if (const auto* advance = std::get_if<fleet::Advance>(&verdict))
    return "is about to advance: " + advance->why;
  return "the stage's devices are being counted";
}

// Deactivating is of the contract, whose bodies may hold what nobody knows.
Expected<OrderBody> read_command(std::string_view text, RolloutCommand command) {
  if (command == RolloutCommand::finish) return read_tolerant_order(text);
  return read_order(text, command == RolloutCommand::resume ? "why acknowledge" : "why");
}

}  // namespace

Response Api::list_rollouts(Request& request) {
  const auto query = read_query(*request.params);
  if (!query) return error_reply(query.error());
  const auto rows = ports_.rollouts.list_rollouts(*query);
  if (!rows) return error_reply(rows.error());
  return ok_reply(rollouts_json(*rows, rows->size() < static_cast<std::size_t>(query->count_max)));
}

Response Api::show_rollout(Request& request) {
  const auto id = rollout_id(request.captured);
  if (!id) return error_reply(id.error());
  const auto row = ports_.rollouts.find_rollout(*id);
  if (!row) return error_reply(row.error());
  const auto standing = ports_.rollouts.standing(*id);
  if (!standing) return error_reply(standing.error());
  return ok_reply(rollout_json(*row, *standing, verdict_on(*row, standing->progress, ports_.now())));
}

Response Api::patch_rollout(Request& request) {
  const auto id = rollout_id(request.captured);
  if (!id) return error_reply(id.error());
  const auto body = fleet::parse_json(request.body);
  if (!body) return error_reply(body.error());
  const auto row = ports_.rollouts.find_rollout(*id);
  if (!row) return error_reply(row.error());
  auto patch = read_rollout_patch(*body, *row);
  if (!patch) return error_reply(patch.error());
  patch->by = request.actor;
  if (patch->policy) {
    if (auto zones = test_zones(*patch->policy); !zones) return error_reply(zones.error());
  }
  if (patch->is_active.value_or(false)) {
    if (auto is_signed = test_signed(row->model, row->version); !is_signed)
      return error_reply(is_signed.error());
  }
  const auto patched = ports_.rollouts.patch_rollout(*id, *patch);
  if (!patched) return error_reply(patched.error());
  for (auto& unknown : unknown_in(*body, RolloutBody::patch)) request.warnings.push_back(std::move(unknown));
  for (auto& idle : idle_in_filter(*body, row->target_type)) request.warnings.push_back(std::move(idle));
  return ok_reply(status_json("Rollout updated successfully", request.warnings));
}

Response Api::order(Request& request, RolloutCommand command, std::string_view message) {
  const auto id = rollout_id(request.captured);
  if (!id) return error_reply(id.error());
  const auto body = read_command(request.body, command);
  if (!body) return error_reply(body.error());
  const auto catalog = ports_.catalog.catalog();
  if (const auto* rollout = catalog->find_rollout(*id);
      rollout != nullptr && command == RolloutCommand::resume) {
    if (auto is_signed = test_signed(rollout->model, rollout->version); !is_signed) {
      return error_reply(is_signed.error());
    }
  }
  const auto done = ports_.rollouts.order(*id, {command, request.actor, body->why, body->acknowledge, {}});
  return done ? ok_reply(ordered_json(message, *done)) : error_reply(done.error());
}

Response Api::pause_rollout(Request& request) {
  return order(request, RolloutCommand::pause, "Rollout paused successfully");
}
Response Api::resume_rollout(Request& request) {
  return order(request, RolloutCommand::resume, "Rollout resumed successfully");
}
Response Api::abort_rollout(Request& request) {
  return order(request, RolloutCommand::abort, "Rollout aborted successfully");
}
Response Api::roll_back_rollout(Request& request) {
  return order(request, RolloutCommand::roll_back,
               "Rollout rolled back: its devices are offered the version they came from");
}
Response Api::deactivate_rollout(Request& request) {
  return order(request, RolloutCommand::finish, "Rollout deactivated successfully");
}

Response Api::retry_rollout(Request& request) {
  const auto id = rollout_id(request.captured);
  if (!id) return error_reply(id.error());
  const auto body = read_order(request.body, "why device_id");
  if (!body) return error_reply(body.error());
  const auto row = ports_.rollouts.find_rollout(*id);  // before: a retry that is done must be settled
  if (!row) return error_reply(row.error());
  if (!body->device_id.empty()) {
    if (auto known = ports_.devices.find_device(body->device_id); !known) return error_reply(known.error());
  }
  const auto released = ports_.rollouts.retry(*id, body->device_id, request.actor);
  if (!released) return error_reply(released.error());
  settle(*released);
  return ok_reply(retried_json(row->state, released->size()));
}

void Api::settle(const std::vector<std::string>& device_ids) {
  // The others, and those for which the inbox has no room, are told when they ask.
  const auto count = std::min(device_ids.size(), fleet::kGroupDevicesMax);
  for (std::size_t i = 0; i < count; ++i) {
    ports_.front_desk.submit({device_ids[i], fleet::Channel::internal, ports_.now(), fleet::Settle{}},
                             [](const auto&) {});
  }
}

}  // namespace ota::http
