#include "bridge/issuing_authority.hpp"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <iterator>

#include "bridge/crl_codec.hpp"
#include "bridge/x509.hpp"
#include "fleet/ids.hpp"

namespace ota::bridge {
namespace {

using namespace std::chrono_literals;
using namespace x509;
using fleet::ErrorKind;
using fleet::Expected;
using fleet::IssuedCertificate;
using fleet::Time;

constexpr int kRsaBitsMin = 2048;
constexpr int kRsaBitsMax = 4096;  // a larger one only costs time to verify
constexpr std::size_t kFileBytesMax = 65536;
// The clocks of the bridge and of the broker may differ by so much.
constexpr auto kBackdated = 1h;
constexpr std::size_t kSerialBytes = 16;
// The first byte says what a serial is for, so that canaries of a process that has died leave the list.
constexpr unsigned char kDeviceSerial = 0x40;  // 0x40 to 0x7f: positive, and never shortened
constexpr unsigned char kCanarySerial = 0x01;
// '@' is not in the grammar of device ids.
constexpr const char* kCanaryName = "canary@internal";

Expected<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file || text.empty() || text.size() > kFileBytesMax) {
    return fleet::fail(ErrorKind::invalid, "cannot read " + path);
  }
  return text;
}

// Empty also where one of them is broken: those behind it would be passed over in silence.
std::vector<CertPtr> read_certificates(const std::string& pem) {
  std::vector<CertPtr> certificates;
  const auto bio = reader(pem);
  while (CertPtr certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    certificates.push_back(std::move(certificate));
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!at_end) certificates.clear();
  return certificates;
}

// Whether each may sign and is signed by the next.
bool is_chain(const std::vector<CertPtr>& certificates) {
  for (std::size_t i = 0; i < certificates.size(); ++i) {
    auto* certificate = certificates[i].get();
    const bool is_last = i + 1 == certificates.size();
    const bool is_signed =
        is_last || X509_verify(certificate, X509_get0_pubkey(certificates[i + 1].get())) == 1;
    ERR_clear_error();
    if (X509_check_ca(certificate) != 1 || !is_signed) return false;
  }
  return true;
}

// No key of ours has a passphrase, and nobody is there to be asked for one.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

bool is_named_p256(EVP_PKEY* key) {
  std::array<char, 32> text{};
  std::size_t length = 0;
  if (EVP_PKEY_is_a(key, "EC") != 1 || EVP_PKEY_get_group_name(key, text.data(), text.size(), &length) != 1 ||
      std::string(text.data(), length) != SN_X9_62_prime256v1) {
    return false;
  }
  // Parameters spelled out instead of the curve's name could be anything.
  return EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, text.data(), text.size(),
                                        &length) == 1 &&
         std::string(text.data(), length) == OSSL_PKEY_EC_ENCODING_GROUP;
}

bool is_allowed(EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "RSA") != 1) return is_named_p256(key);
  const int bits = EVP_PKEY_get_bits(key);
  return bits >= kRsaBitsMin && bits <= kRsaBitsMax;
}

Expected<RequestPtr> read_request(const std::string& pem) {
  if (pem.size() > fleet::kCsrBytesMax) {
    return fleet::fail(ErrorKind::invalid, "csr has " + std::to_string(pem.size()) + " bytes; at most " +
                                               std::to_string(fleet::kCsrBytesMax) + " are allowed");
  }
  const auto bio = reader(pem);
  RequestPtr request(PEM_read_bio_X509_REQ(bio.get(), nullptr, no_passphrase, nullptr));
  EVP_PKEY* key = request ? X509_REQ_get0_pubkey(request.get()) : nullptr;
  ERR_clear_error();
  if (key == nullptr) {
    return fleet::fail(ErrorKind::invalid, "csr is not a certificate request in PEM form (PKCS#10)");
  }
  if (!is_allowed(key)) {
    return fleet::fail(ErrorKind::invalid,
                       "csr has a key of the wrong kind; use EC P-256, or RSA with 2048 to 4096 bits");
  }
  const bool proves_key = X509_REQ_verify(request.get(), key) == 1;
  ERR_clear_error();
  if (!proves_key) {
    return fleet::fail(ErrorKind::invalid, "csr is not signed by the key it asks a certificate for");
  }
  return request;
}

std::string random_serial(unsigned char kind) {
  std::array<unsigned char, kSerialBytes> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return {};
  bytes[0] = kind == kDeviceSerial ? static_cast<unsigned char>(kDeviceSerial | (bytes[0] & 0x3f)) : kind;
  return hex_of(bytes.data(), bytes.size());
}

std::string fingerprint_of(X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &length) != 1) return {};
  return hex_of(digest.data(), length);
}

bool set_subject(X509* certificate, const std::string& common_name) {
  std::unique_ptr<X509_NAME, Freed<X509_NAME_free>> name(X509_NAME_new());
  const auto* bytes = reinterpret_cast<const unsigned char*>(common_name.data());
  return name &&
         X509_NAME_add_entry_by_NID(name.get(), NID_commonName, MBSTRING_UTF8, bytes,
                                    static_cast<int>(common_name.size()), -1, 0) == 1 &&
         X509_set_subject_name(certificate, name.get()) == 1;
}

// The same extensions as the section [device] of broker-config/openssl.cnf.
bool add_device_extensions(X509* certificate, X509* issuer) {
  return add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature") &&
         add_extension(certificate, issuer, NID_ext_key_usage, "clientAuth") &&
         add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
         add_extension(certificate, issuer, NID_authority_key_identifier, "keyid");
}

IssuedCertificate describe(X509* certificate) {
  return {serial_text(X509_get0_serialNumber(certificate)), pem_of(certificate), fingerprint_of(certificate),
          time_of(X509_get0_notBefore(certificate)), time_of(X509_get0_notAfter(certificate))};
}

std::string common_name_of(X509* certificate) {
  const auto* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return {};
  const auto* text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

struct Wanted {
  std::string common_name;
  std::string serial;
  Time not_before{};
  Time not_after{};
};

}  // namespace

struct IssuingAuthority::State {
  Identity own;
  std::vector<CertPtr> above;  // what signed it, up to what devices trust
  std::chrono::hours device_life{0};

  [[nodiscard]] X509* issuer() const { return own.certificate.get(); }

  [[nodiscard]] Expected<CertPtr> sign(const Wanted& wanted, EVP_PKEY* public_key) const {
    constexpr long kVersion3 = 2;
    CertPtr certificate(X509_new());
    const auto serial = serial_number(wanted.serial);
    const auto from = asn1_time(wanted.not_before);
    const auto until = asn1_time(wanted.not_after);
    const bool made = certificate && serial && from && until &&
                      X509_set_version(certificate.get(), kVersion3) == 1 &&
                      X509_set_serialNumber(certificate.get(), serial.get()) == 1 &&
                      X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer())) == 1 &&
                      set_subject(certificate.get(), wanted.common_name) &&
                      X509_set1_notBefore(certificate.get(), from.get()) == 1 &&
                      X509_set1_notAfter(certificate.get(), until.get()) == 1 &&
                      X509_set_pubkey(certificate.get(), public_key) == 1 &&
                      add_device_extensions(certificate.get(), issuer()) &&
                      X509_sign(certificate.get(), own.key.get(), EVP_sha256()) > 0;
    if (!made) return tl::unexpected(openssl_error("signing a certificate"));
    return certificate;
  }
};

IssuingAuthority::IssuingAuthority(std::unique_ptr<State> state) : state_(std::move(state)) {}
IssuingAuthority::~IssuingAuthority() = default;

Expected<std::unique_ptr<IssuingAuthority>> IssuingAuthority::load(const std::string& cert_file,
                                                                   const std::string& key_file,
                                                                   int device_days) {
  if (cert_file.empty()) return std::unique_ptr<IssuingAuthority>();
  const auto cert_pem = read_file(cert_file);
  if (!cert_pem) return tl::unexpected(cert_pem.error());
  const auto key_pem = read_file(key_file);
  if (!key_pem) return tl::unexpected(key_pem.error());
  auto chain = read_certificates(*cert_pem);
  if (chain.empty()) {
    return fleet::fail(ErrorKind::invalid, cert_file + " holds no certificate in PEM form, or a broken one");
  }
  auto state = std::make_unique<State>();
  state->device_life = std::chrono::hours(24) * device_days;
  state->own.key.reset(PEM_read_bio_PrivateKey(reader(*key_pem).get(), nullptr, no_passphrase, nullptr));
  ERR_clear_error();
  if (!state->own.key) return fleet::fail(ErrorKind::invalid, key_file + " holds no private key in PEM form");
  if (!is_chain(chain)) {
    return fleet::fail(
        ErrorKind::invalid,
        cert_file + " must hold the issuing certificate, then what signed it, all of them authorities");
  }
  state->own.certificate = std::move(chain.front());
  chain.erase(chain.begin());
  state->above = std::move(chain);
  if (X509_check_private_key(state->issuer(), state->own.key.get()) != 1) {
    ERR_clear_error();
    return fleet::fail(ErrorKind::invalid,
                       key_file + " is not the key of the first certificate in " + cert_file);
  }
  return std::unique_ptr<IssuingAuthority>(new IssuingAuthority(std::move(state)));
}

std::string IssuingAuthority::trust_anchor() const {
  return pem_of(state_->above.empty() ? state_->issuer() : state_->above.back().get());
}

Time IssuingAuthority::ends_at() const {
  return time_of(X509_get0_notAfter(state_->issuer()));
}

Expected<IssuedCertificate> IssuingAuthority::issue(const std::string& device_id, const std::string& csr_pem,
                                                    Time now) const {
  if (const auto id = fleet::parse_id("device_id", device_id); !id) return tl::unexpected(id.error());
  const auto request = read_request(csr_pem);
  if (!request) return tl::unexpected(request.error());
  const Wanted wanted{device_id, random_serial(kDeviceSerial), now - kBackdated,
                      std::min(now + state_->device_life, ends_at())};
  if (wanted.not_after < now + 24h) {
    return fleet::fail(
        ErrorKind::unavailable,
        "the issuing authority's own certificate ends within a day; renew it (ca.sh renew-issuing)");
  }
  const auto certificate = state_->sign(wanted, X509_REQ_get0_pubkey(request->get()));
  if (!certificate) return tl::unexpected(certificate.error());
  return describe(certificate->get());
}

Expected<fleet::DeviceAuthority::Recognised> IssuingAuthority::recognise(const std::string& pems) const {
  const auto certificates = read_certificates(pems);
  if (certificates.empty()) {
    return fleet::fail(ErrorKind::invalid,
                       "certificates holds none in PEM form, or one that is broken; nothing of it is taken");
  }
  Recognised recognised;
  auto* own_key = X509_get0_pubkey(state_->issuer());
  for (const auto& certificate : certificates) {
    auto name = common_name_of(certificate.get());
    const bool ours = X509_verify(certificate.get(), own_key) == 1 && X509_check_ca(certificate.get()) == 0 &&
                      X509_check_purpose(certificate.get(), X509_PURPOSE_SSL_CLIENT, 0) == 1 &&
                      fleet::parse_id("device_id", name);
    ERR_clear_error();
    if (ours) {
      recognised.ours.push_back({std::move(name), describe(certificate.get())});
    } else {
      recognised.foreign.push_back(fleet::printable(name));
    }
  }
  return recognised;
}

Expected<Canary> IssuingAuthority::make_canary(Time now, std::chrono::seconds life) const {
  const KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return tl::unexpected(openssl_error("making a key"));
  const Wanted wanted{kCanaryName, random_serial(kCanarySerial), now - kBackdated, now + life};
  const auto certificate = state_->sign(wanted, key.get());
  if (!certificate) return tl::unexpected(certificate.error());
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return tl::unexpected(openssl_error("writing a key"));
  }
  return Canary{pem_of(certificate->get()), text_of(bio.get()), wanted.serial};
}

bool IssuingAuthority::is_canary(const std::string& serial) {
  return serial.size() == 2 * kSerialBytes && serial.compare(0, 2, "01") == 0;
}

Expected<std::string> IssuingAuthority::sign_list(const std::vector<fleet::RevokedSerial>& revoked, Time now,
                                                  Time next_update) const {
  auto list = encode_crl(revoked, state_->own, now - kBackdated, next_update);
  if (!list) return list;
  // Read back: a broken list would open the broker to everybody.
  const auto read = read_list(*list);
  if (!read) return tl::unexpected(read.error());
  if (read->entries != revoked) {
    return fleet::fail(ErrorKind::internal, "the revocation list does not hold what it should");
  }
  return list;
}

Expected<RevocationList> IssuingAuthority::read_list(const std::string& pem) const {
  return decode_crl(pem, state_->issuer());
}

}  // namespace ota::bridge
