#include "sql/device_rows.hpp"

#include <algorithm>
#include <limits>

#include "fleet/ids.hpp"
#include "sql/json.hpp"
#include "sql/parameters.hpp"

namespace ota::sql {
namespace {

constexpr std::int64_t kAttemptIdsPerBlock = 256;  // INCREMENT BY of the sequence attempt_ids

// One transaction at a time asks; the number is ours alone. An offer that nobody took within a minute holds
// no slot.
constexpr Statement kLockSlots = {"lock_slots", "SELECT pg_advisory_xact_lock(1868849516)"};
constexpr Statement kCountSlots = {"count_slots", R"sql(
  SELECT (SELECT count(*) FROM offers WHERE rollout_id = $1::bigint AND open AND taken),
         count(*) FILTER (WHERE open AND NOT taken), count(*)
  FROM offers WHERE rollout_id = $1::bigint AND offered_at > now() - interval '1 minute')sql"};

}  // namespace

int free_slots(Session& session, std::int64_t rollout_id, const fleet::PushRate& rate) {
  Script(session).execute(kLockSlots, {}).run();
  const auto row = Script(session).execute(kCountSlots, {std::to_string(rollout_id)}).run()[0];
  const auto in_flight = number_of(row[0]) + number_of(row[1]);
  const auto last_minute = number_of(row[2]);
  std::int64_t free = std::numeric_limits<int>::max();
  if (rate.in_flight_max > 0) free = std::min(free, rate.in_flight_max - in_flight);
  if (rate.per_minute_max > 0) free = std::min(free, rate.per_minute_max - last_minute);
  return static_cast<int>(std::max<std::int64_t>(free, 0));
}

fleet::Offer read_offer(const pqxx::row& row, int first) {
  const auto at = [&](int column) { return row[first + column]; };
  fleet::Offer offer;
  offer.attempt_id = number_of(at(0));
  offer.rollout_id = number_of(at(1));
  offer.release_id = number_of(at(2));
  offer.version = text_of(at(3));
  offer.from_version = text_of(at(4));
  offer.open = flag_of(at(5));
  offer.taken = flag_of(at(6));
  offer.failed_attempts = static_cast<int>(number_of(at(7)));
  offer.wanted_revision = number_of(at(8));
  offer.published_revision = number_of(at(9));
  offer.origin_version = text_of(at(10));
  offer.offered_at = time_from(number_of(at(11)));
  offer.last_failure = fleet::parse_failure_kind(text_of(at(12)));
  offer.retry_at = moment_of(at(13));
  return offer;
}

fleet::Attempt read_attempt(const pqxx::row& row, int first) {
  const auto at = [&](int column) { return row[first + column]; };
  fleet::Attempt attempt;
  attempt.id = number_of(at(0));
  attempt.rollout_id = number_of(at(1));
  attempt.version = text_of(at(2));
  attempt.status = fleet::parse_status(text_of(at(3))).value_or(fleet::Status::pending);
  attempt.progress_percent = static_cast<int>(number_of(at(4)));
  attempt.error = text_of(at(5));
  attempt.boot_id = text_of(at(6));
  attempt.changed_at = time_from(number_of(at(7)));
  attempt.due_at = moment_of(at(8));
  attempt.failure = fleet::parse_failure_kind(text_of(at(9)));
  attempt.started_at = time_from(number_of(at(10)));
  return attempt;
}

fleet::RolloutPolicy read_policy(const pqxx::field& field) {
  if (field.is_null()) return {};
  return fleet::parse_policy(parse_jsonb(field.c_str())).value_or(fleet::RolloutPolicy{});
}

fleet::Device read_device(const pqxx::row& row) {
  fleet::Device device;
  device.id = text_of(row[0]);
  device.model = text_of(row[1]);
  device.version = text_of(row[2]);
  device.mac = text_of(row[3]);
  if (auto mac = fleet::parse_mac("mac_address", device.mac)) device.mac = std::move(*mac);
  device.boot_id = text_of(row[4]);
  device.on_mqtt = flag_of(row[5]);
  if (!row[6].is_null()) device.metadata = parse_jsonb(row[6].c_str());
  device.pinned_version = text_of(row[7]);
  device.hold = flag_of(row[8]);
  device.revoked = flag_of(row[9]);
  if (!row[kDeviceColumns].is_null()) device.offer = read_offer(row, kDeviceColumns);
  constexpr int kAttempt = kDeviceColumns + kOfferColumns;
  if (!row[kAttempt].is_null()) device.attempt = read_attempt(row, kAttempt);
  return device;
}

Script& Script::add(const char* sql) {
  if (!text_.empty()) text_ += "; ";
  text_ += sql;
  return *this;
}

namespace {

// libpqxx throws a bare runtime_error for bytes that are not UTF-8.
std::string escaped(pqxx::connection& connection, const std::string& text) {
  try {
    return connection.esc(text);
  } catch (const std::exception& e) {
    throw Refusal(fleet::ErrorKind::invalid, std::string("text must be UTF-8: ") + e.what());
  }
}

}  // namespace

Script& Script::execute(const Statement& statement, const std::vector<std::string>& parameters) {
  session_.prepare_for_scripts(statement);
  add("EXECUTE ");
  text_ += statement.name;
  char separator = '(';
  for (const auto& parameter : parameters) {
    text_ += separator;
    text_ += '\'';
    text_ += escaped(session_.connection(), without_nul(parameter));
    text_ += '\'';
    separator = ',';
  }
  if (!parameters.empty()) text_ += ')';
  return *this;
}

pqxx::result Script::run() {
  pqxx::nontransaction message(session_.connection());
  return message.exec(text_);
}

void Script::commit() {
  add("COMMIT");
  try {
    run();
  } catch (const std::exception& e) {
    if (session_.is_open()) throw;
    throw Refusal(fleet::ErrorKind::in_doubt, std::string("connection lost while committing: ") + e.what());
  }
}

std::int64_t AttemptIds::next(Session& session) {
  if (next_ == end_) {
    pqxx::nontransaction query(session.connection());
    next_ = query.exec("SELECT nextval('attempt_ids')")[0][0].as<std::int64_t>();
    end_ = next_ + kAttemptIdsPerBlock;
  }
  return next_++;
}

}  // namespace ota::sql
