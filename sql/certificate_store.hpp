#pragma once

#include <memory>

#include "fleet/ports/certificate_store.hpp"
#include "fleet/ports/enrolment_store.hpp"
#include "fleet/ports/revocation_store.hpp"
#include "sql/connect_options.hpp"
#include "sql/connection_pool.hpp"

namespace ota::sql {

/// device_certificates for admins and renewing devices. Thread safe; the pool must outlive it.
class PgCertificateStore final : public fleet::CertificateStore {
 public:
  explicit PgCertificateStore(ConnectionPool& pool) : pool_(pool) {}
  [[nodiscard]] fleet::Expected<void> record(const fleet::NewCertificate& issued) override;
  [[nodiscard]] fleet::Expected<std::vector<fleet::CertificateRow>> list(
      const std::string& device_id) override;
  [[nodiscard]] fleet::Expected<fleet::Revoked> revoke(const fleet::Revocation& revocation) override;
  [[nodiscard]] fleet::Expected<void> reinstate(const std::string& device_id, const std::string& by,
                                                const std::string& why) override;
  [[nodiscard]] fleet::Expected<bool> is_revoked(const std::string& device_id,
                                                 const std::string& serial) override;
  [[nodiscard]] fleet::Expected<int> adopt(const std::vector<fleet::NamedCertificate>& certificates,
                                           const std::string& by) override;

 private:
  ConnectionPool& pool_;
};

/// enrolment_tokens. Thread safe; the pool must outlive it.
class PgEnrolmentStore final : public fleet::EnrolmentStore {
 public:
  explicit PgEnrolmentStore(ConnectionPool& pool) : pool_(pool) {}
  [[nodiscard]] fleet::Expected<std::int64_t> create_token(const fleet::NewEnrolmentToken& token) override;
  [[nodiscard]] fleet::Expected<std::vector<fleet::EnrolmentTokenRow>> list_tokens(int count_max) override;
  [[nodiscard]] fleet::Expected<void> revoke_token(std::int64_t id, const std::string& by) override;
  [[nodiscard]] fleet::Expected<std::optional<fleet::Enrolled>> admit(
      const fleet::EnrolmentRequest& request) override;
  [[nodiscard]] fleet::Expected<fleet::Enrolled> enrol(const fleet::EnrolmentRequest& request,
                                                       const fleet::IssuedCertificate& certificate) override;

 private:
  ConnectionPool& pool_;
};

/// What the revocation list is made of. One connection; belongs to one thread.
class PgRevocationStore final : public fleet::RevocationStore {
 public:
  explicit PgRevocationStore(const ConnectOptions& options = {});
  ~PgRevocationStore() override;
  [[nodiscard]] fleet::Expected<std::vector<fleet::RevokedSerial>> revoked() override;
  [[nodiscard]] fleet::Expected<void> adopt(const std::vector<fleet::RevokedSerial>& entries) override;
  [[nodiscard]] fleet::Expected<std::vector<fleet::UncutDevice>> uncut(int count_max) override;
  [[nodiscard]] fleet::Expected<void> mark_cut(const std::vector<fleet::UncutDevice>& cut) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ota::sql
