#include "http/client_address.hpp"

#include <gtest/gtest.h>

namespace ota::http {
namespace {

const auto kTrusted = fleet::parse_networks("127.0.0.1, 10.0.0.0/8, fd00::/8").value();

std::string client(std::string_view peer, std::string_view forwarded) {
  return to_string(client_of(peer, forwarded, kTrusted));
}

TEST(ClientOf, IsThePeerUnlessThatIsATrustedProxy) {
  EXPECT_EQ(client("192.0.2.1", ""), "192.0.2.1");
  EXPECT_EQ(client("192.0.2.1", "203.0.113.9"), "192.0.2.1") << "anybody can write the header";
  EXPECT_EQ(to_string(client_of("127.0.0.1", "203.0.113.9", {})), "127.0.0.1");
}

TEST(ClientOf, IsTheLastHopThatIsNoTrustedProxy) {
  EXPECT_EQ(client("127.0.0.1", "203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(client("127.0.0.1", "1.1.1.1, 203.0.113.9"), "203.0.113.9") << "what stands before may be forged";
  EXPECT_EQ(client("127.0.0.1", "1.1.1.1,203.0.113.9 , 10.1.2.3"), "203.0.113.9");
  EXPECT_EQ(client("::ffff:127.0.0.1", "203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(client("10.0.0.1", "2001:db8::5"), "2001:db8::5");
  EXPECT_EQ(client("10.0.0.1", "fd00::1, fd00::2"), "fd00::1") << "an address of our own network";
  EXPECT_EQ(client("127.0.0.1", ""), "127.0.0.1");
}

TEST(ClientOf, ReadsHopsWithPorts) {
  EXPECT_EQ(client("127.0.0.1", "203.0.113.9:4711"), "203.0.113.9");
  EXPECT_EQ(client("127.0.0.1", "[2001:db8::5]:4711"), "2001:db8::5");
}

TEST(ClientOf, EndsAtAHopThatCannotBeRead) {
  for (const auto* forwarded :
       {"203.0.113.9, unknown", "203.0.113.9,", "203.0.113.9, [", "203.0.113.9, _hidden:x:y"}) {
    EXPECT_EQ(client("127.0.0.1", forwarded), "127.0.0.1") << forwarded;
  }
  EXPECT_EQ(client("127.0.0.1", std::string(30000, ',')), "127.0.0.1");
  EXPECT_EQ(client("?", "203.0.113.9"), "::");
}

TEST(ForwardedFor, JoinsAllLinesInTheirOrder) {
  EXPECT_EQ(
      forwarded_for("GET / HTTP/1.1\r\nX-Forwarded-For:1.1.1.1\r\nHost: x\r\nx-forwarded-FOR:2.2.2.2\r\n\r\n"
                    "X-Forwarded-For:3.3.3.3\r\n"),
      "1.1.1.1,2.2.2.2");
  EXPECT_EQ(forwarded_for("GET / HTTP/1.1\r\nX-Forwarded-Forged: 1.1.1.1\r\n\r\n"), "");
  EXPECT_EQ(forwarded_for("GET / HTTP/1.1"), "");
  EXPECT_EQ(forwarded_for(""), "");
}

}  // namespace
}  // namespace ota::http
