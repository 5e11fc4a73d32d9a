// Certificate requests as devices send them, and revocation lists as they lie on the disk.
#include "bridge/issuing_authority.hpp"

#include <openssl/pem.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "bridge/x509.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace ota;

namespace {

namespace x509 = bridge::x509;
namespace fs = std::filesystem;

const auto kNow = fleet::Time(std::chrono::seconds(1'800'000'000));

void write(const fs::path& path, const std::function<int(BIO*)>& put) {
  const x509::BioPtr file(BIO_new_file(path.c_str(), "w"));
  fuzz::require(file != nullptr && put(file.get()) == 1, "the authority's files can be written");
}

// A one-key authority of its own, whose files are gone once it is loaded.
std::unique_ptr<bridge::IssuingAuthority> make_authority() {
  const x509::KeyPtr key(EVP_EC_gen("P-256"));
  const x509::CertPtr certificate(X509_new());
  auto* cert = certificate.get();
  X509_set_version(cert, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
  const auto year = std::chrono::hours(24 * 365);
  X509_set1_notBefore(cert, x509::asn1_time(kNow - year).get());
  X509_set1_notAfter(cert, x509::asn1_time(kNow + 20 * year).get());
  X509_set_pubkey(cert, key.get());
  auto* subject = X509_get_subject_name(cert);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("fuzz"), -1,
                             -1, 0);
  X509_set_issuer_name(cert, subject);
  (void)x509::add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
  (void)x509::add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign");
  (void)x509::add_extension(cert, cert, NID_subject_key_identifier, "hash");
  X509_sign(cert, key.get(), EVP_sha256());

  std::string pattern = (fs::temp_directory_path() / "ota-fuzz-XXXXXX").string();
  const fs::path folder = ::mkdtemp(pattern.data());
  write(folder / "ca.crt", [&](BIO* to) { return PEM_write_bio_X509(to, cert); });
  write(folder / "ca.key", [&](BIO* to) {
    return PEM_write_bio_PrivateKey(to, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  fs::permissions(folder / "ca.key", fs::perms::owner_read);
  auto loaded =
      bridge::IssuingAuthority::load((folder / "ca.crt").string(), (folder / "ca.key").string(), 825);
  fs::remove_all(folder);
  if (!loaded) std::fprintf(stderr, "%s\n", loaded.error().message.c_str());
  fuzz::require(loaded && *loaded, "the authority can be loaded");
  return std::move(*loaded);
}

// PEM around raw bytes, so that inputs come past the armour.
std::string armoured(const char* name, std::string_view der) {
  const x509::BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio(bio.get(), name, "", reinterpret_cast<const unsigned char*>(der.data()),
                static_cast<long>(der.size()));
  return x509::text_of(bio.get());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto authority = make_authority();
  const auto text = fuzz::text_of(data, size);
  for (const auto& csr : {std::string(text), armoured("CERTIFICATE REQUEST", text)}) {
    const auto issued = authority->issue("esp32_001", csr, kNow);
    if (fuzz::value_or_sentence(issued) == nullptr) continue;
    fuzz::require(fleet::parse_serial("serial", issued->serial).value() == issued->serial,
                  "a serial is canonical");
    fuzz::require(issued->not_before < issued->not_after, "a certificate is valid for a while");
  }
  for (const auto& list : {std::string(text), armoured("X509 CRL", text)}) {
    const auto read = authority->read_list(list);
    fuzz::require(!read, "nobody else signs this authority's lists");
    fuzz::require_sentence(read.error().message);
  }
  return 0;
}
