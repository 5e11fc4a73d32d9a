#include "bridge/crl_codec.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <chrono>

namespace ota::bridge {
namespace {

using namespace x509;
using fleet::ErrorKind;
using fleet::Expected;
using fleet::Time;

constexpr std::string_view kEnd = "-----END X509 CRL-----";

bool add_entry(X509_CRL* list, const fleet::RevokedSerial& entry) {
  std::unique_ptr<X509_REVOKED, Freed<X509_REVOKED_free>> revoked(X509_REVOKED_new());
  const auto serial = serial_number(entry.serial);
  const auto at = asn1_time(entry.revoked_at);
  if (!revoked || !serial || !at || X509_REVOKED_set_serialNumber(revoked.get(), serial.get()) != 1 ||
      X509_REVOKED_set_revocationDate(revoked.get(), at.get()) != 1 ||
      X509_CRL_add0_revoked(list, revoked.get()) != 1) {
    return false;
  }
  (void)revoked.release();  // the list's now
  return true;
}

bool add_number(X509_CRL* list, Time now) {
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  const NumberPtr number(ASN1_INTEGER_new());
  return number && ASN1_INTEGER_set_int64(number.get(), milliseconds) == 1 &&
         X509_CRL_add1_ext_i2d(list, NID_crl_number, number.get(), 0, 0) == 1;
}

bool add_key_identifier(X509_CRL* list, X509* issuer) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, nullptr, nullptr, list, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid"));
  return extension && X509_CRL_add_ext(list, extension.get(), -1) == 1;
}

}  // namespace

Expected<std::string> encode_crl(const std::vector<fleet::RevokedSerial>& revoked, const Identity& issuer,
                                 Time from, Time next_update) {
  constexpr long kVersion2 = 1;
  const ListPtr list(X509_CRL_new());
  const auto begins = asn1_time(from);
  const auto until = asn1_time(next_update);
  auto* certificate = issuer.certificate.get();
  bool made = list && begins && until && X509_CRL_set_version(list.get(), kVersion2) == 1 &&
              X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(certificate)) == 1 &&
              X509_CRL_set1_lastUpdate(list.get(), begins.get()) == 1 &&
              X509_CRL_set1_nextUpdate(list.get(), until.get()) == 1;
  for (const auto& entry : revoked) made = made && add_entry(list.get(), entry);
  made = made && X509_CRL_sort(list.get()) == 1 && add_number(list.get(), from) &&
         add_key_identifier(list.get(), certificate) &&
         X509_CRL_sign(list.get(), issuer.key.get(), EVP_sha256()) > 0;
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!made || !bio || PEM_write_bio_X509_CRL(bio.get(), list.get()) != 1) {
    return tl::unexpected(openssl_error("signing the revocation list"));
  }
  return x509::text_of(bio.get());
}

Expected<RevocationList> decode_crl(const std::string& pem, X509* issuer) {
  const auto bio = reader(pem);
  const ListPtr list(PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr));
  const bool is_ours = list && pem.find(kEnd) != std::string::npos &&
                       X509_NAME_cmp(X509_CRL_get_issuer(list.get()), X509_get_subject_name(issuer)) == 0 &&
                       X509_CRL_verify(list.get(), X509_get0_pubkey(issuer)) == 1;
  ERR_clear_error();
  if (!is_ours) {
    return fleet::fail(ErrorKind::invalid, "is not a whole revocation list signed by this authority");
  }
  RevocationList read;
  read.next_update = time_of(X509_CRL_get0_nextUpdate(list.get()));
  auto* entries = X509_CRL_get_REVOKED(list.get());
  for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
    const auto* entry = sk_X509_REVOKED_value(entries, i);
    read.entries.push_back({serial_text(X509_REVOKED_get0_serialNumber(entry)),
                            time_of(X509_REVOKED_get0_revocationDate(entry))});
  }
  std::sort(read.entries.begin(), read.entries.end());
  read.entries.erase(std::unique(read.entries.begin(), read.entries.end()), read.entries.end());
  return read;
}

}  // namespace ota::bridge
