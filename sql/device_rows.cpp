#include "sql/device_rows.hpp"

#include "sql/json.hpp"
#include "sql/parameters.hpp"

namespace ota::sql {
namespace {

constexpr std::int64_t kAttemptIdsPerBlock = 256;  // INCREMENT BY of the sequence attempt_ids

constexpr Statement kSaveOffers = {"save_offers", R"sql(
  INSERT INTO offers AS o (device_id, attempt_id, rollout_id, release_id, version, from_version, open, taken,
                           failed_attempts, wanted_revision, published_revision, wanted_at)
  SELECT c.device_id, c.attempt_id, c.rollout_id, c.release_id, c.version, c.from_version, c.open, c.taken,
         c.failed_attempts, c.wanted_revision, c.published_revision,
         'epoch'::timestamptz + c.at * interval '1 microsecond'
  FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::boolean[],
              $8::boolean[], $9::integer[], $10::bigint[], $11::bigint[], $12::bigint[])
       AS c (device_id, attempt_id, rollout_id, release_id, version, from_version, open, taken,
             failed_attempts, wanted_revision, published_revision, at)
  ON CONFLICT (device_id) DO UPDATE SET
    attempt_id = excluded.attempt_id, rollout_id = excluded.rollout_id, release_id = excluded.release_id,
    version = excluded.version, from_version = excluded.from_version, open = excluded.open,
    taken = excluded.taken, failed_attempts = excluded.failed_attempts,
    wanted_revision = excluded.wanted_revision,
    wanted_at = CASE WHEN o.wanted_revision = excluded.wanted_revision THEN o.wanted_at
                     ELSE excluded.wanted_at END)sql"};

}  // namespace

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
  return attempt;
}

fleet::Device read_device(const pqxx::row& row) {
  fleet::Device device;
  device.id = text_of(row[0]);
  device.model = text_of(row[1]);
  device.version = text_of(row[2]);
  device.mac = text_of(row[3]);
  device.boot_id = text_of(row[4]);
  device.on_mqtt = flag_of(row[5]);
  if (!row[6].is_null()) device.metadata = parse_jsonb(row[6].c_str());
  if (!row[7].is_null()) device.offer = read_offer(row, 7);
  if (!row[17].is_null()) device.attempt = read_attempt(row, 17);
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

void add_offers(Script& script, const std::vector<fleet::OfferChange>& changes) {
  if (changes.empty()) return;
  ArrayLiteral devices, attempts, rollouts, releases, versions, from, open, taken, failed, wanted, published,
      at;
  for (const auto& [device_id, offer, changed_at] : changes) {
    devices.add(device_id);
    attempts.add(offer.attempt_id);
    rollouts.add(offer.rollout_id);
    releases.add(offer.release_id);
    versions.add(offer.version);
    from.add(offer.from_version);
    open.add(offer.open);
    taken.add(offer.taken);
    failed.add(offer.failed_attempts);
    wanted.add(offer.wanted_revision);
    published.add(offer.published_revision);
    at.add(changed_at);
  }
  script.execute(kSaveOffers,
                 {devices.str(), attempts.str(), rollouts.str(), releases.str(), versions.str(), from.str(),
                  open.str(), taken.str(), failed.str(), wanted.str(), published.str(), at.str()});
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
