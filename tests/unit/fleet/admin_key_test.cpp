#include "fleet/admin_key.hpp"

#include <gtest/gtest.h>

namespace ota::fleet {
namespace {

TEST(KeyRole, IncludesWhatItIsForAndNothingElse) {
  constexpr KeyRole kAll[] = {KeyRole::viewer, KeyRole::publisher, KeyRole::operator_, KeyRole::admin};
  for (const auto role : kAll) {
    EXPECT_TRUE(allows(role, role)) << to_string(role);
    EXPECT_TRUE(allows(role, KeyRole::viewer)) << to_string(role);
    EXPECT_TRUE(allows(KeyRole::admin, role)) << to_string(role);
    EXPECT_EQ(allows(role, KeyRole::admin), role == KeyRole::admin) << to_string(role);
    EXPECT_EQ(parse_key_role(to_string(role)), role);
  }
  EXPECT_FALSE(allows(KeyRole::publisher, KeyRole::operator_));
  EXPECT_FALSE(allows(KeyRole::operator_, KeyRole::publisher));
  EXPECT_FALSE(allows(KeyRole::viewer, KeyRole::publisher));
  EXPECT_FALSE(parse_key_role("Admin"));
  EXPECT_FALSE(parse_key_role(""));
}

TEST(KeyRole, TheOnesThatAllowSomethingAreListed) {
  EXPECT_EQ(roles_that_allow(KeyRole::viewer), "viewer, publisher, operator or admin");
  EXPECT_EQ(roles_that_allow(KeyRole::operator_), "operator or admin");
  EXPECT_EQ(roles_that_allow(KeyRole::admin), "admin");
}

TEST(KeyText, IsAPrefixAndAllBitsOfChance) {
  KeyBytes random{};
  random.front() = 0xa5;
  random.back() = 1;
  const auto text = key_text(random);
  EXPECT_EQ(text.size(), 4U + 64U);
  EXPECT_EQ(text.substr(0, 6), "ota_a5");
  EXPECT_EQ(text.substr(66), "01");
}

TEST(KeyDigest, IsReadFromItsOwnHexAlone) {
  KeyDigest digest{};
  for (std::size_t i = 0; i < digest.size(); ++i) digest[i] = static_cast<std::uint8_t>(7 * i + 1);
  const auto text = to_hex(digest);
  EXPECT_EQ(digest_from_hex(text), digest);
  for (const auto& wrong :
       {std::string(), text.substr(1), text + "0", "G" + text.substr(1), "A" + text.substr(1)}) {
    EXPECT_FALSE(digest_from_hex(wrong)) << wrong;
  }
}

TEST(KeyDigest, DiffersInAnyByte) {
  const KeyDigest one{1, 2, 3};
  for (std::size_t i = 0; i < one.size(); ++i) {
    auto other = one;
    other[i] ^= 0x80;
    EXPECT_FALSE(same_digest(one, other)) << i;
  }
  EXPECT_TRUE(same_digest(one, one));
}

TEST(KeyName, IsAnIdAndNobodyElses) {
  EXPECT_EQ(parse_key_name("ci-2026"), "ci-2026");
  for (const auto* wrong : {"", "..", "a b", "a/b", "admin", "bridge"})
    EXPECT_FALSE(parse_key_name(wrong)) << wrong;
}

TEST(KeyRing, FindsAKeyByItsDigest) {
  const KeyRing ring({{"a", KeyRole::viewer, {1}, {}}, {"b", KeyRole::admin, {2}, {}}});
  ASSERT_NE(ring.find({2}), nullptr);
  EXPECT_EQ(ring.find({2})->name, "b");
  EXPECT_EQ(ring.find({3}), nullptr);
  EXPECT_EQ(ring.find({}), nullptr);
  EXPECT_TRUE(KeyRing().empty());
}

}  // namespace
}  // namespace ota::fleet
