#include "bridge/broker_address.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace ota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  const auto place = bridge::parse_host_port(text);
  if (const auto* taken = fuzz::value_or_sentence(place)) {
    fuzz::require(!taken->host.empty() && taken->port >= 0 && taken->port <= 65535, "a place has a host");
  }
  const auto broker = bridge::parse_broker_url(text);
  if (const auto* taken = fuzz::value_or_sentence(broker)) {
    fuzz::require(!taken->host.empty() && taken->port >= 1 && taken->port <= 65535, "a broker has a port");
    fuzz::require(fuzz::is_clean_utf8(taken->host), "a host is clean text");
  }
  return 0;
}
