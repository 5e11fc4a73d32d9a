#include "esp-client/core/record_codec.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace ota;

namespace {

// CRC-32 as in the record's last line, so that inputs come past it.
std::string sealed(std::string_view body) {
  std::uint32_t crc = ~0U;
  for (const char c : body) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return std::string(body) + "crc32=" + std::to_string(~crc) + "\n";
}

void test(std::string_view text) {
  device::Record record;
  if (!device::decode_record(text, record)) return;
  fuzz::require(record.result_count <= device::kResultsMax, "results are bounded");
  char buffer[device::kRecordBytesMax];
  const auto written = device::encode_record(record, buffer, sizeof(buffer));
  fuzz::require(!written.empty(), "every record fits");
  device::Record again;
  char second[device::kRecordBytesMax];
  fuzz::require(device::decode_record(written, again), "what was written can be read");
  fuzz::require(device::encode_record(again, second, sizeof(second)) == written, "and gives the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  test(text);
  test(sealed(text));
  return 0;
}
