#include "otactl/signing_key.hpp"

#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <cstdio>
#include <vector>

#include "otactl/openssl.hpp"

namespace ota::otactl {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

constexpr int kEcdsaBits = 256;
constexpr int kRsaBitsMin = 3072;

// Without this the library would ask for the passphrase on the terminal.
int give_passphrase(char* buffer, int size, int /*writing*/, void* passphrase) {
  const auto& text = *static_cast<const std::string*>(passphrase);
  return std::snprintf(buffer, static_cast<std::size_t>(size), "%s", text.c_str());
}

bool is_strong(const EVP_PKEY* key) {
  const int bits = EVP_PKEY_bits(key);
  if (EVP_PKEY_base_id(key) == EVP_PKEY_RSA) return bits >= kRsaBitsMin;
  return EVP_PKEY_base_id(key) == EVP_PKEY_EC && bits == kEcdsaBits;
}

std::string base64(const std::vector<unsigned char>& bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(),
                                     static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

}  // namespace

struct SigningKey::State {
  KeyPtr key;
};

SigningKey::SigningKey() : state_(std::make_unique<State>()) {}
SigningKey::~SigningKey() = default;

Expected<std::unique_ptr<SigningKey>> SigningKey::load(const std::string& path, std::string passphrase) {
  const BioPtr file(BIO_new_file(path.c_str(), "rb"));
  if (!file) return fleet::fail(ErrorKind::invalid, "cannot read " + path);
  std::unique_ptr<SigningKey> loaded(new SigningKey());
  auto& key = loaded->state_->key;
  key.reset(PEM_read_bio_PrivateKey(file.get(), nullptr, &give_passphrase, &passphrase));
  if (!key) {
    return fleet::fail(ErrorKind::invalid,
                       path + " is no private key in PEM form, or --passphrase-file does not open it");
  }
  if (is_strong(key.get())) return loaded;
  if (EVP_PKEY_base_id(key.get()) == EVP_PKEY_RSA_PSS) {
    return fleet::fail(
        ErrorKind::invalid,
        path +
            " is a key of the type RSA-PSS, which servers and devices cannot read; make one of "
            "the type RSA (openssl genpkey -algorithm RSA), which signs by PSS all the same");
  }
  return fleet::fail(ErrorKind::invalid,
                     path + " must be a key of ECDSA P-256, or of the type RSA with 3072 bits or more");
}

Expected<std::string> SigningKey::sign(const std::string& text) {
  const DigestPtr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;  // belongs to the context
  auto* key = state_->key.get();
  bool ready = EVP_DigestSignInit(context.get(), &options, EVP_sha256(), nullptr, key) == 1;
  if (ready && EVP_PKEY_base_id(key) == EVP_PKEY_RSA) {
    ready = EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1;
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  std::vector<unsigned char> signature(static_cast<std::size_t>(EVP_PKEY_size(key)));
  std::size_t length = signature.size();
  if (!ready || EVP_DigestSign(context.get(), signature.data(), &length, bytes, text.size()) != 1) {
    return fleet::fail(ErrorKind::internal, "the key cannot sign");
  }
  signature.resize(length);
  return base64(signature);
}

}  // namespace ota::otactl
