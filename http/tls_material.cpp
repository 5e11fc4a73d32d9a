#include "http/tls_material.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <fstream>
#include <limits>
#include <utility>

namespace ota::http {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

constexpr std::size_t kFileBytesMax = 16 * 1024 * 1024;  // a list of revoked certificates may be long
constexpr int kExpiryWarningDays = 14;

// One of the files: the variable that names it, and its path.
struct Source {
  const char* variable;
  const std::string& path;
};

tl::unexpected<fleet::Error> refuse(const Source& source, const std::string& problem) {
  return fleet::fail(ErrorKind::invalid, std::string(source.variable) + ": " + source.path + " " + problem);
}

Expected<std::string> read_file(const Source& source) {
  std::ifstream file(source.path, std::ios::binary);
  if (!file) return refuse(source, "cannot be read: " + std::string(std::strerror(errno)));
  std::string text;
  char piece[65536];
  while (file.read(piece, sizeof(piece)) || file.gcount() > 0) {
    text.append(piece, static_cast<std::size_t>(file.gcount()));
    if (text.size() > kFileBytesMax) return refuse(source, "is too large for a PEM file");
  }
  if (file.bad()) return refuse(source, "cannot be read");
  return text;
}

BioPtr view_of(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Every object of one kind that the file holds, at least one; other kinds are passed over.
template <class Pointer, class Read>
Expected<std::vector<Pointer>> read_objects(const Source& source, const char* what, Read read) {
  auto text = read_file(source);
  if (!text) return tl::unexpected(text.error());
  const auto bio = view_of(*text);
  std::vector<Pointer> objects;
  ERR_clear_error();
  while (auto* object = read(bio.get(), nullptr, nullptr, nullptr)) objects.emplace_back(object);
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const auto reason = openssl_reason();
  if (!at_end) return refuse(source, "holds a broken " + std::string(what) + ": " + reason);
  if (objects.empty()) return refuse(source, "holds no " + std::string(what) + " in PEM");
  return objects;
}

// Instead of asking for a passphrase on a terminal that nobody watches.
int refuse_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

Expected<KeyPtr> read_key(const Source& source) {
  auto text = read_file(source);
  if (!text) return tl::unexpected(text.error());
  auto& pem = *text;
  const auto bio = view_of(pem);
  bool is_encrypted = false;
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, refuse_passphrase, &is_encrypted));
  OPENSSL_cleanse(pem.data(), pem.size());
  const auto reason = openssl_reason();
  if (is_encrypted) return refuse(source, "is encrypted; the service needs a key without a passphrase");
  if (!key) return refuse(source, "holds no private key in PEM: " + reason);
  return key;
}

void warn_of_open_key(const Source& source, std::vector<std::string>& warnings) {
  struct stat status {};
  if (::stat(source.path.c_str(), &status) != 0 || (status.st_mode & (S_IROTH | S_IWOTH)) == 0) return;
  warnings.push_back(std::string(source.variable) + ": " + source.path +
                     " can be read or written by everybody on this machine; chmod 0600 closes it");
}

// Past: negative.
int days_until(const ASN1_TIME* time) {
  int days = 0;
  int seconds = 0;
  if (time == nullptr || ASN1_TIME_diff(&days, &seconds, nullptr, time) != 1) {
    return std::numeric_limits<int>::max();
  }
  return days > 0 || (days == 0 && seconds >= 0) ? days : std::min(days, -1);
}

void warn_of_expiry(const Source& source, const ASN1_TIME* end, const char* consequence,
                    std::vector<std::string>& warnings) {
  const int days = days_until(end);
  if (days > kExpiryWarningDays) return;
  const auto text =
      days < 0 ? std::string(" has expired; ") : " expires in " + std::to_string(days) + " days; ";
  warnings.push_back(std::string(source.variable) + ": " + source.path + text + consequence);
}

Expected<void> read_identity(const TlsFiles& files, TlsMaterial& to) {
  const Source certificate{"HTTPS_CERT", files.certificate};
  const Source key_source{"HTTPS_KEY", files.key};
  auto certificates = read_objects<CertificatePtr>(certificate, "certificate", PEM_read_bio_X509);
  if (!certificates) return tl::unexpected(certificates.error());
  auto key = read_key(key_source);
  if (!key) return tl::unexpected(key.error());
  to.certificate = std::move(certificates->front());
  to.chain.assign(std::make_move_iterator(certificates->begin() + 1),
                  std::make_move_iterator(certificates->end()));
  to.key = std::move(*key);
  const bool fits = X509_check_private_key(to.certificate.get(), to.key.get()) == 1;
  (void)openssl_reason();
  if (!fits) {
    return refuse(key_source,
                  "does not belong to the first certificate in HTTPS_CERT (" + files.certificate + ")");
  }
  warn_of_open_key(key_source, to.warnings);
  warn_of_expiry(certificate, X509_get0_notAfter(to.certificate.get()), "clients refuse an expired one",
                 to.warnings);
  if (X509_cmp_current_time(X509_get0_notBefore(to.certificate.get())) > 0) {
    to.warnings.push_back("HTTPS_CERT: " + files.certificate +
                          " is not valid yet; is this machine's clock right?");
  }
  return {};
}

// A list counts only when one of the authorities has signed it: anything else would be passed over in
// silence.
Expected<void> test_list(const Source& source, X509_CRL* list,
                         const std::vector<CertificatePtr>& authorities) {
  for (const auto& authority : authorities) {
    if (X509_NAME_cmp(X509_get_subject_name(authority.get()), X509_CRL_get_issuer(list)) != 0) continue;
    const bool signed_by = X509_CRL_verify(list, X509_get0_pubkey(authority.get())) == 1;
    (void)openssl_reason();
    if (signed_by) return {};
  }
  return refuse(source, "holds a list that no authority in HTTPS_CLIENT_CA has signed");
}

Expected<void> read_client_trust(const TlsFiles& files, TlsMaterial& to) {
  if (files.client_ca.empty()) return {};
  const Source authority{"HTTPS_CLIENT_CA", files.client_ca};
  auto authorities = read_objects<CertificatePtr>(authority, "certificate", PEM_read_bio_X509);
  if (!authorities) return tl::unexpected(authorities.error());
  for (const auto& one : *authorities) {
    if (X509_check_ca(one.get()) == 0) return refuse(authority, "holds a certificate that is no authority's");
    warn_of_expiry(authority, X509_get0_notAfter(one.get()), "its clients' certificates are refused then",
                   to.warnings);
  }
  to.client_authorities = std::move(*authorities);
  if (files.client_crl.empty()) return {};
  const Source source{"HTTPS_CLIENT_CRL", files.client_crl};
  auto lists = read_objects<RevocationListPtr>(source, "revocation list", PEM_read_bio_X509_CRL);
  if (!lists) return tl::unexpected(lists.error());
  for (const auto& list : *lists) {
    if (auto tested = test_list(source, list.get(), to.client_authorities); !tested) return tested;
    warn_of_expiry(source, X509_CRL_get0_nextUpdate(list.get()),
                   "an expired list refuses every client certificate", to.warnings);
  }
  to.revocation_lists = std::move(*lists);
  return {};
}

}  // namespace

std::string openssl_reason() {
  const auto code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  std::string text = reason == nullptr ? "unknown reason" : reason;
  ERR_clear_error();
  return text;
}

Expected<TlsMaterial> read_tls_material(const TlsFiles& files) {
  TlsMaterial material;
  if (auto read = read_identity(files, material); !read) return tl::unexpected(read.error());
  if (auto read = read_client_trust(files, material); !read) return tl::unexpected(read.error());
  return material;
}

fleet::Time end_of(const X509* certificate) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) != 1) return {};
  return std::chrono::time_point_cast<fleet::Time::duration>(
      std::chrono::system_clock::from_time_t(::timegm(&parts)));
}

}  // namespace ota::http
