#include "bridge/canary_file.hpp"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "bridge/broker_visit.hpp"
#include "bridge/unique_fd.hpp"
#include "bridge/x509.hpp"

namespace ota::bridge {

std::optional<Canary> CanaryFile::read() const {
  const auto pem = read_pem(path_);
  const auto key_at = pem.find("-----BEGIN PRIVATE KEY-----");
  if (key_at == std::string::npos) return std::nullopt;
  Canary canary{pem.substr(0, key_at), pem.substr(key_at), {}};
  const x509::CertPtr certificate(
      PEM_read_bio_X509(x509::reader(canary.certificate).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!certificate) return std::nullopt;
  canary.serial = x509::serial_text(X509_get0_serialNumber(certificate.get()));
  return canary;
}

fleet::Expected<void> CanaryFile::replace(const Canary& canary) const {
  const auto fresh = path_ + "." + std::to_string(::getpid()) + ".new";
  const auto pem = canary.certificate + canary.key;
  const UniqueFd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  // Not synced: a lost canary costs one more list.
  const bool written =
      file && ::write(file.get(), pem.data(), pem.size()) == static_cast<ssize_t>(pem.size());
  if (!written || std::rename(fresh.c_str(), path_.c_str()) != 0) {
    return fleet::fail(fleet::ErrorKind::unavailable, "cannot write " + path_ + ": " + std::strerror(errno));
  }
  return {};
}

}  // namespace ota::bridge
