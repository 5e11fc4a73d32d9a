#pragma once
#include <string>

namespace ota::device::host {

// How a device gets its certificate, and a new one before the first ends.
struct EnrolOptions {
  std::string enroll_url;  // the server, https://…; empty: does not enrol
  std::string token;       // one-time
  std::string renew_url;   // the server for renewals, by mutual TLS; empty: does not renew
  std::string model;
  std::string server_ca;  // what the server is verified against; empty or not there yet: the system's
};

// The files of one device: key and certificate with mode 0600, `ca` as the server told it.
struct IdentityFiles {
  std::string cert;
  std::string key;
  std::string ca;  // empty: not kept
};

// Makes key and certificate where there is none yet; renews when less than a third of its life is left. The
// key is on the disk before the server is asked and the request is kept until it is answered, so a power cut
// at any point only repeats the same request. Blocks for the network; called before the device is switched
// on. Throws std::runtime_error with the server's sentence; a renewal that fails only throws once the
// certificate has ended.
void ensure_identity(const EnrolOptions& options, const std::string& device_id, const IdentityFiles& files);

}  // namespace ota::device::host
