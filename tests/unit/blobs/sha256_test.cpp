#include "bridge/sha256.hpp"

#include <gtest/gtest.h>

namespace ota::bridge {
namespace {

// FIPS 180-4 examples.
TEST(Sha256, PublishedVectors) {
  EXPECT_EQ(to_hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, PiecesHashAsTheWhole) {
  const std::string text(100'000, 'q');
  Sha256Stream stream;
  for (std::size_t at = 0; at < text.size(); at += 777) stream.update(std::string_view(text).substr(at, 777));
  EXPECT_EQ(stream.finish(), sha256(text));
}

}  // namespace
}  // namespace ota::bridge
