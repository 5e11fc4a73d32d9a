#include "fleet/ip_address.hpp"

#include <gtest/gtest.h>

#include "tests/support/refused.hpp"

namespace ota::fleet {
namespace {

using test_support::refused;

std::string read(std::string_view text) {
  const auto address = parse_ip(text);
  return address ? to_string(*address) : "";
}

bool contains(std::string_view network, std::string_view address) {
  return parse_networks(network).value().front().contains(parse_ip(address).value());
}

TEST(IpAddress, HasOneForm) {
  EXPECT_EQ(read("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(read("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(read("2001:DB8:0::1"), "2001:db8::1");
}

TEST(IpAddress, IsReadAsAWhole) {
  for (const std::string_view wrong :
       {std::string_view(""), std::string_view("192.0.2"), std::string_view("192.0.2.256"),
        std::string_view("192.0.2.1 "), std::string_view("192.0.2.1:80"), std::string_view("[::1]"),
        std::string_view("localhost"), std::string_view("192.0.2.1\0", 10), std::string_view("::1%eth0")}) {
    EXPECT_EQ(read(wrong), "") << wrong;
  }
  EXPECT_EQ(read(std::string(100000, '1')), "");
}

TEST(IpAddress, OfOneSubscriberAreOne) {
  const auto subscriber = [](std::string_view text) {
    return to_string(subscriber_of(parse_ip(text).value()));
  };
  EXPECT_EQ(subscriber("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(subscriber("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
  EXPECT_EQ(subscriber("2001:db8:1:3::"), "2001:db8:1:3::");
}

TEST(IpNetwork, ContainsWhatBeginsAlike) {
  EXPECT_TRUE(contains("10.0.0.0/8", "10.255.1.2"));
  EXPECT_FALSE(contains("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(contains("10.1.2.3/8", "10.0.0.0")) << "bits behind the prefix do not count";
  EXPECT_TRUE(contains("192.0.2.128/25", "192.0.2.129"));
  EXPECT_FALSE(contains("192.0.2.128/25", "192.0.2.127"));
  EXPECT_TRUE(contains("192.0.2.1", "::ffff:192.0.2.1"));
  EXPECT_FALSE(contains("192.0.2.1", "192.0.2.2"));
  EXPECT_TRUE(contains("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(contains("2001:db8::/33", "2001:db8:8000::1"));
}

TEST(IpNetwork, ListsAreReadAsAWhole) {
  EXPECT_TRUE(parse_networks("")->empty());
  EXPECT_TRUE(parse_networks("  ")->empty());
  EXPECT_EQ(parse_networks("10.0.0.0/8, ::1,192.0.2.1")->size(), 3U);
  for (const auto* wrong : {"10.0.0.0/33", "10.0.0.0/0", "::/0", "::/129", "10.0.0.0/", "10.0.0.0/8x",
                            "10.0.0.0/+8", "proxy", "::1,", ",::1", "::1;::2", "10.0.0.0/-1"}) {
    const auto read = parse_networks(wrong);
    EXPECT_FALSE(read) << wrong;
  }
  EXPECT_NE(refused(parse_networks("::1, proxy")).message.find("'proxy'"), std::string::npos);
}

}  // namespace
}  // namespace ota::fleet
