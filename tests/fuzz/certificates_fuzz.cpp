#include "fleet/certificates.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace ota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto serial = fleet::parse_serial("serial", fuzz::text_of(data, size));
  if (fuzz::value_or_sentence(serial) == nullptr) return 0;
  fuzz::require(serial->size() % 2 == 0 && serial->size() <= 40 &&
                    serial->find_first_not_of("0123456789abcdef") == std::string::npos,
                "a serial is whole bytes in hex, at most 20");
  fuzz::require(fleet::parse_serial("serial", *serial).value() == *serial, "a canonical serial stays");
  return 0;
}
