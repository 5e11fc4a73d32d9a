#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "http/identity_ports.hpp"

namespace ota::tests {

/// Certifies whoever sends "CSR".
class FakeAuthority final : public fleet::DeviceAuthority {
 public:
  fleet::Expected<fleet::IssuedCertificate> issue(const std::string& device_id, const std::string& csr,
                                                  fleet::Time now) const override {
    if (csr != "CSR") return fleet::fail(fleet::ErrorKind::invalid, "csr is not a certificate request");
    return fleet::IssuedCertificate{"4a", "PEM of " + device_id, "ff", now, now + std::chrono::hours(24)};
  }
  fleet::Expected<Recognised> recognise(const std::string& pems) const override {
    if (pems.empty()) return fleet::fail(fleet::ErrorKind::invalid, "certificates holds no certificate");
    return Recognised{{{"a", {"4a", pems, "ff", {}, {}}}}, {"localhost"}};
  }
  std::string trust_anchor() const override { return "ROOT"; }
};

class FakeCertificates final : public fleet::CertificateStore {
 public:
  fleet::Expected<void> record(const fleet::NewCertificate& issued) override {
    recorded.push_back(issued);
    return {};
  }
  fleet::Expected<std::vector<fleet::CertificateRow>> list(const std::string&) override {
    return std::vector<fleet::CertificateRow>{{"4a", "", "", "2031-01-02T03:04:05+00:00", "", "", "", ""}};
  }
  fleet::Expected<fleet::Revoked> revoke(const fleet::Revocation& revocation) override {
    revoked = revocation;
    return fleet::Revoked{2, revocation.device_id != "stranger"};
  }
  fleet::Expected<void> reinstate(const std::string& device_id, const std::string&,
                                  const std::string&) override {
    if (device_id == "nobody") return fleet::fail(fleet::ErrorKind::not_found, "no device with id nobody");
    return {};
  }
  fleet::Expected<bool> is_revoked(const std::string& device_id, const std::string&) override {
    if (is_away) return fleet::fail(fleet::ErrorKind::unavailable, "the database is away");
    return device_id == revoked.device_id;
  }
  fleet::Expected<int> adopt(const std::vector<fleet::NamedCertificate>& certificates,
                             const std::string&) override {
    return static_cast<int>(certificates.size());
  }

  std::vector<fleet::NewCertificate> recorded;
  fleet::Revocation revoked;
  bool is_away = false;
};

class FakeEnrolments final : public fleet::EnrolmentStore {
 public:
  fleet::Expected<std::int64_t> create_token(const fleet::NewEnrolmentToken& token) override {
    created = token;
    return 7;
  }
  fleet::Expected<std::vector<fleet::EnrolmentTokenRow>> list_tokens(int) override {
    return std::vector<fleet::EnrolmentTokenRow>{};
  }
  fleet::Expected<void> revoke_token(std::int64_t id, const std::string&) override {
    if (id == 7) return {};
    return fleet::fail(fleet::ErrorKind::not_found, "no enrolment token with that id");
  }
  fleet::Expected<std::optional<fleet::Enrolled>> admit(const fleet::EnrolmentRequest& request) override {
    asked = request;
    if (guessed) return fleet::fail(fleet::ErrorKind::unauthorized, "the token is not valid");
    if (refuses) return fleet::fail(fleet::ErrorKind::forbidden, "the token was used already");
    return std::nullopt;
  }
  fleet::Expected<fleet::Enrolled> enrol(const fleet::EnrolmentRequest&,
                                         const fleet::IssuedCertificate& certificate) override {
    return fleet::Enrolled{certificate.pem, certificate.not_after};
  }

  fleet::NewEnrolmentToken created;
  fleet::EnrolmentRequest asked;
  bool refuses = false;
  bool guessed = false;
};

}  // namespace ota::tests
