#pragma once
#include <cstdint>
#include <string>

namespace ota::device::host {

// The device's own key and what it has certified, by mbedTLS: on an ESP the same calls work, with the key in
// NVS. All texts are PEM. Every function throws std::runtime_error when the library refuses.

// A new EC P-256 key.
[[nodiscard]] std::string make_key_pem();

// A certificate request (PKCS#10) for the key, in the name of `device_id`.
[[nodiscard]] std::string make_csr_pem(const std::string& key_pem, const std::string& device_id);

// Whether the certificate is for that key.
[[nodiscard]] bool is_pair(const std::string& certificate_pem, const std::string& key_pem);

// How long a certificate lasts, in seconds since 1970.
struct Lifetime {
  std::uint64_t from_s = 0;
  std::uint64_t until_s = 0;
};
[[nodiscard]] Lifetime lifetime_of(const std::string& certificate_pem);

}  // namespace ota::device::host
