#include "fleet/version.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace ota;

// Three versions, a line each.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto lines = fuzz::lines_of(fuzz::text_of(data, size), 3);
  fuzz::require(fleet::compare_versions(lines[0], lines[0]) == fleet::Order::same,
                "a version is the same as itself");
  const auto a = fleet::SemVer::parse(lines[0]);
  const auto b = fleet::SemVer::parse(lines[1]);
  const auto c = fleet::SemVer::parse(lines[2]);
  if (!a || !b) {
    fuzz::require(
        lines[0] == lines[1] || fleet::compare_versions(lines[0], lines[1]) == fleet::Order::unknown,
        "what is not semantic has no order");
    return 0;
  }
  fuzz::require((*a < *b) == (*b > *a) && (*a == *b) == (*b == *a), "the order is antisymmetric");
  if (c) fuzz::require(!(*a <= *b && *b <= *c) || *a <= *c, "the order is transitive");
  return 0;
}
