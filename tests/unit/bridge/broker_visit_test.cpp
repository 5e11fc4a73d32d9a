// Visits where no broker answers; those to a real one are in tests/system/identity_test.cpp.
#include "bridge/broker_visit.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <list>

#include "bridge/unique_fd.hpp"

namespace ota::bridge {
namespace {

using namespace std::chrono_literals;

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// A port of this machine, bound and, from listen() on, with the kernel's queue of connections alone.
class Port {
 public:
  Port() {
    auto address = loopback(0);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    number_ = ntohs(address.sin_port);
  }
  void listen(int backlog) { EXPECT_EQ(::listen(socket_.get(), backlog), 0); }
  // Until the kernel leaves further ones without an answer, as a firewall does.
  void fill() {
    for (int i = 0; i < 4; ++i) {
      clients_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
      const auto address = loopback(number_);
      (void)::connect(clients_.back().get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
  }
  [[nodiscard]] VisitOptions options(const std::string& scheme) const {
    VisitOptions options;
    options.url = scheme + "://127.0.0.1:" + std::to_string(number_);
    options.client_id = "visitor";
    return options;
  }

 private:
  UniqueFd socket_{::socket(AF_INET, SOCK_STREAM, 0)};
  std::list<UniqueFd> clients_;
  int number_ = 0;
};

TEST(BrokerVisit, AClosedPortIsNotARefusal) {
  const Port port;
  EXPECT_EQ(visit_broker(port.options("mqtt"), 500ms), Visit::unreachable);
}

TEST(BrokerVisit, ASilentServerIsNotARefusal) {
  Port port;
  port.listen(5);
  EXPECT_EQ(visit_broker(port.options("mqtt"), 300ms), Visit::unreachable);
}

// Without a bound of its own this takes the kernel's two minutes.
TEST(BrokerVisit, AnAddressThatNobodyAnswersAtIsGivenUp) {
  Port port;
  port.listen(0);
  port.fill();
  EXPECT_EQ(visit_broker(port.options("mqtt"), 300ms), Visit::unreachable);
}

}  // namespace
}  // namespace ota::bridge
