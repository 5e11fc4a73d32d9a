#include "fleet/ip_address.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace ota;

// An address, and a list of networks.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  if (const auto address = fleet::parse_ip(text)) {
    fuzz::require(fleet::parse_ip(fleet::to_string(*address)) == address, "an address can be read again");
    fuzz::require(fleet::subscriber_of(fleet::subscriber_of(*address)) == fleet::subscriber_of(*address),
                  "a subscriber is its own");
  }
  const auto networks = fleet::parse_networks(text);
  if (fuzz::value_or_sentence(networks) == nullptr) return 0;
  for (const auto& network : *networks) {
    fuzz::require(network.prefix_bits >= 1 && network.prefix_bits <= 128, "a network has some bits");
    fuzz::require(network.contains(network.address), "a network holds its own address");
  }
  return 0;
}
