#include "http/client_address.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace ota;

// A request's head, whose X-Forwarded-For lines are believed from one proxy alone.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto kTrusted = fleet::parse_networks("10.0.0.0/8").value();
  const auto forwarded = http::forwarded_for(fuzz::text_of(data, size));
  const auto stranger = fleet::parse_ip("192.0.2.1").value();
  fuzz::require(http::client_of("192.0.2.1", forwarded, kTrusted) == stranger,
                "what a stranger says of others does not count");
  fuzz::require(http::client_of("10.0.0.1", forwarded, {}) == fleet::parse_ip("10.0.0.1").value(),
                "without trusted proxies the peer is the client");
  (void)http::client_of("10.0.0.1", forwarded, kTrusted);
  return 0;
}
