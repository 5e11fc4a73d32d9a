#include "bridge/manifest_keys.hpp"

#include <mbedtls/base64.h>
#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <vector>

#include "bridge/sha256.hpp"
#include "fleet/ids.hpp"

namespace ota::bridge {
namespace {

using fleet::ErrorKind;
using fleet::Expected;
namespace fs = std::filesystem;

constexpr std::size_t kEcdsaBits = 256;
constexpr std::size_t kRsaBitsMin = 3072;
constexpr std::size_t kKeyFileBytesMax = 16384;

class PublicKey {
 public:
  PublicKey() { mbedtls_pk_init(&key_); }
  ~PublicKey() { mbedtls_pk_free(&key_); }
  PublicKey(const PublicKey&) = delete;
  PublicKey& operator=(const PublicKey&) = delete;

  // `pem` must end with a NUL, which counts.
  [[nodiscard]] bool parse(const std::string& pem) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(pem.c_str());
    if (mbedtls_pk_parse_public_key(&key_, bytes, pem.size() + 1) != 0) return false;
    const auto bits = mbedtls_pk_get_bitlen(&key_);
    return is_rsa() ? bits >= kRsaBitsMin
                    : mbedtls_pk_can_do(&key_, MBEDTLS_PK_ECDSA) == 1 && bits == kEcdsaBits;
  }

  [[nodiscard]] bool verify(const std::array<std::uint8_t, 32>& digest,
                            const std::vector<unsigned char>& signature) {
    if (!is_rsa()) {
      return mbedtls_pk_verify(&key_, MBEDTLS_MD_SHA256, digest.data(), digest.size(), signature.data(),
                               signature.size()) == 0;
    }
    mbedtls_pk_rsassa_pss_options options{};
    options.mgf1_hash_id = MBEDTLS_MD_SHA256;
    options.expected_salt_len = MBEDTLS_RSA_SALT_LEN_ANY;
    return mbedtls_pk_verify_ext(MBEDTLS_PK_RSASSA_PSS, &options, &key_, MBEDTLS_MD_SHA256, digest.data(),
                                 digest.size(), signature.data(), signature.size()) == 0;
  }

 private:
  [[nodiscard]] bool is_rsa() const { return mbedtls_pk_get_type(&key_) == MBEDTLS_PK_RSA; }
  mbedtls_pk_context key_{};
};

std::vector<unsigned char> decoded(const std::string& base64) {
  std::vector<unsigned char> bytes(base64.size());
  std::size_t length = 0;
  const auto* text = reinterpret_cast<const unsigned char*>(base64.data());
  if (mbedtls_base64_decode(bytes.data(), bytes.size(), &length, text, base64.size()) != 0) length = 0;
  bytes.resize(length);
  return bytes;
}

struct Key {
  std::string pem;
  bool retired = false;
};

Expected<void> read_folder(const fs::path& folder, bool retired, std::map<std::string, Key>& keys) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".pem") continue;
    const auto id = fleet::parse_id("key id", entry.path().stem().string());
    if (!id) return tl::unexpected(id.error());
    std::ifstream file(entry.path(), std::ios::binary);
    Key key{{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()}, retired};
    if (!file || key.pem.size() > kKeyFileBytesMax || !PublicKey().parse(key.pem)) {
      return fleet::fail(
          ErrorKind::invalid,
          entry.path().string() +
              " is no public key in PEM form of ECDSA P-256 or of the type RSA (not RSA-PSS) with 3072 "
              "bits or more");
    }
    if (!keys.emplace(*id, std::move(key)).second) {
      return fleet::fail(ErrorKind::invalid,
                         "key " + *id + " stands in the folder and in retired/; leave one");
    }
  }
  if (error && !retired) {
    return fleet::fail(ErrorKind::invalid, "cannot read " + folder.string() + ": " + error.message());
  }
  return {};
}

}  // namespace

struct ManifestKeys::Keys {
  std::map<std::string, Key> by_id;
};

ManifestKeys::ManifestKeys() : keys_(std::make_unique<Keys>()) {}
ManifestKeys::~ManifestKeys() = default;

Expected<std::unique_ptr<ManifestKeys>> ManifestKeys::load(const std::string& folder) {
  std::unique_ptr<ManifestKeys> loaded(new ManifestKeys());
  if (folder.empty()) return loaded;
  if (auto read = read_folder(folder, false, loaded->keys_->by_id); !read)
    return tl::unexpected(read.error());
  if (auto read = read_folder(fs::path(folder) / "retired", true, loaded->keys_->by_id); !read) {
    return tl::unexpected(read.error());
  }
  return loaded;
}

bool ManifestKeys::empty() const {
  return keys_->by_id.empty();
}

Expected<void> ManifestKeys::verify(const fleet::Manifest& manifest) const {
  const auto key = keys_->by_id.find(manifest.key_id);
  if (key == keys_->by_id.end()) {
    return fleet::fail(ErrorKind::invalid,
                       "manifest: key " + manifest.key_id + " is not known to this server");
  }
  if (key->second.retired) {
    return fleet::fail(ErrorKind::conflict,
                       "manifest: key " + manifest.key_id + " is retired; sign with a newer one");
  }
  PublicKey parsed;
  const bool right = parsed.parse(key->second.pem) &&
                     parsed.verify(sha256(manifest.signed_text), decoded(manifest.signature));
  if (right) return {};
  return fleet::fail(ErrorKind::invalid, "manifest: the signature does not fit key " + manifest.key_id);
}

}  // namespace ota::bridge
