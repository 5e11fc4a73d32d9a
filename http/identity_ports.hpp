#pragma once

#include <functional>
#include <optional>
#include <string>

#include "fleet/ports/certificate_store.hpp"
#include "fleet/ports/device_authority.hpp"
#include "fleet/ports/enrolment_store.hpp"

namespace ota::http {

/// How the revocation list stands, for monitors.
struct RevocationHealth {
  std::int64_t seconds_left = 0;  ///< until the list ends and every device is refused
  std::string problem;            ///< in words; empty: all is well
};

/// What the routes of devices' identities call. All are thread safe and outlive the server.
struct IdentityPorts {
  const fleet::DeviceAuthority* authority = nullptr;  ///< null: this bridge issues no certificates
  fleet::CertificateStore* certificates = nullptr;    ///< never null in a running bridge
  fleet::EnrolmentStore* enrolments = nullptr;        ///< likewise
  std::function<std::string()> make_token;            ///< 256 random bits as text of the id grammar
  std::function<void()> revoked;  ///< something was revoked: whoever writes the list hurries
  std::function<std::optional<RevocationHealth>()> revocation;  ///< nullopt: no list is kept here
  /// The revocation list in DER form; empty: no list is kept here.
  std::function<fleet::Expected<std::string>()> revocation_list;
};

}  // namespace ota::http
