#pragma once

#include <string>
#include <vector>

#include "fleet/ports/certificate_store.hpp"
#include "sql/session.hpp"

namespace ota::sql {

/// Steps that the changes of devices' identities share. All inside the caller's transaction; internal to
/// sql/.

/// One change of a device's identity at a time, to the transaction's end; whether it is revoked.
[[nodiscard]] bool lock_identity(Session& session, pqxx::work& work, const std::string& device_id);

[[nodiscard]] int live_certificates(Session& session, pqxx::work& work, const std::string& device_id);
/// Refuses (`conflict`) a device that has as many valid certificates as one may.
void refuse_too_many(Session& session, pqxx::work& work, const std::string& device_id);

void insert_certificate(Session& session, pqxx::work& work, const std::string& device_id,
                        const fleet::IssuedCertificate& certificate, const std::string& by);

/// Revokes all certificates of the device, ends its token for REST, and withdraws the enrolment tokens for it
/// alone; answers how many certificates that were.
int revoke_certificates(Session& session, pqxx::work& work, const std::string& device_id,
                        const std::string& by, const std::string& why);

/// An event of a device; `data_json` is a JSON object.
void log_identity(Session& session, pqxx::work& work, const char* event_type, const std::string& device_id,
                  const std::string& data_json, const std::string& by);

/// {"serial": …, "why": …} without what is empty.
[[nodiscard]] std::string identity_json(const std::string& serial, const std::string& why);

}  // namespace ota::sql
