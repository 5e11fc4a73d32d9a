#include "esp-client/host/manifest_keys.hpp"

#include <mbedtls/base64.h>
#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace ota::device::host {
namespace {

constexpr std::size_t kEcdsaBits = 256;
constexpr std::size_t kRsaBitsMin = 3072;
constexpr std::size_t kSignatureBytesMax = 768;

bool hash(std::string_view text, Digest& out) {
  const auto* info = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  return info != nullptr && mbedtls_md(info, bytes, text.size(), out.data()) == 0;
}

}  // namespace

class ManifestKeys::PublicKey {
 public:
  PublicKey() { mbedtls_pk_init(&key_); }
  ~PublicKey() { mbedtls_pk_free(&key_); }
  PublicKey(const PublicKey&) = delete;
  PublicKey& operator=(const PublicKey&) = delete;

  [[nodiscard]] bool parse(const std::string& pem) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(pem.c_str());
    if (mbedtls_pk_parse_public_key(&key_, bytes, pem.size() + 1) != 0) return false;  // the NUL counts
    const auto bits = mbedtls_pk_get_bitlen(&key_);
    return is_rsa() ? bits >= kRsaBitsMin
                    : mbedtls_pk_can_do(&key_, MBEDTLS_PK_ECDSA) == 1 && bits == kEcdsaBits;
  }

  [[nodiscard]] bool verify(const Digest& digest, const unsigned char* signature, std::size_t size) {
    if (!is_rsa()) {
      return mbedtls_pk_verify(&key_, MBEDTLS_MD_SHA256, digest.data(), digest.size(), signature, size) == 0;
    }
    mbedtls_pk_rsassa_pss_options options{};
    options.mgf1_hash_id = MBEDTLS_MD_SHA256;
    options.expected_salt_len = MBEDTLS_RSA_SALT_LEN_ANY;
    return mbedtls_pk_verify_ext(MBEDTLS_PK_RSASSA_PSS, &options, &key_, MBEDTLS_MD_SHA256, digest.data(),
                                 digest.size(), signature, size) == 0;
  }

 private:
  [[nodiscard]] bool is_rsa() const { return mbedtls_pk_get_type(&key_) == MBEDTLS_PK_RSA; }
  mbedtls_pk_context key_{};
};

ManifestKeys::ManifestKeys(const std::string& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".pem") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string pem{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    auto key = std::make_unique<PublicKey>();
    if (!key->parse(pem)) {
      throw std::runtime_error(
          entry.path().string() +
          " is no public key of ECDSA P-256 or of the type RSA (not RSA-PSS) with 3072 bits or more");
    }
    keys_.emplace(entry.path().stem().string(), std::move(key));
  }
  if (keys_.empty()) throw std::runtime_error(folder + " holds no public key (<key id>.pem)");
}

ManifestKeys::~ManifestKeys() = default;

bool ManifestKeys::verify(std::string_view key_id, std::string_view signed_text,
                          std::string_view signature_base64) {
  const auto key = keys_.find(key_id);
  if (key == keys_.end()) return false;
  std::array<unsigned char, kSignatureBytesMax> signature;
  std::size_t size = 0;
  const auto* base64 = reinterpret_cast<const unsigned char*>(signature_base64.data());
  Digest digest{};
  return mbedtls_base64_decode(signature.data(), signature.size(), &size, base64, signature_base64.size()) ==
             0 &&
         hash(signed_text, digest) && key->second->verify(digest, signature.data(), size);
}

}  // namespace ota::device::host
