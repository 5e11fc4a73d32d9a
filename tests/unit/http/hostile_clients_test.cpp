#include <sys/resource.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "tests/support/eventually.hpp"
#include "tests/unit/http/server_fixture.hpp"
#include "tests/unit/http/test_authority.hpp"

namespace ota::tests {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr char kStatus[] = "POST /api/device/dev1/update-status HTTP/1.1\r\nHost: t\r\n";

std::int64_t resident_kib() {
  std::ifstream file("/proc/self/statm");
  std::int64_t total = 0;
  std::int64_t resident = 0;
  file >> total >> resident;
  return resident * 4;
}

// Over plain HTTP and over TLS: the same limits hold.
class HostileClients : public ServerTest, public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    if (!GetParam()) return;
    static const TestAuthority kAuthority;
    options_.tls = kAuthority.server_files();
    client_tls_.ca = kAuthority.path("ca.crt");
  }
  /// The slowest of `count` health requests.
  Clock::duration slowest_health(int count) {
    Clock::duration slowest{};
    for (int i = 0; i < count; ++i) {
      const auto began = Clock::now();
      EXPECT_EQ(get("/health").status, 200);
      slowest = std::max(slowest, Clock::now() - began);
    }
    return slowest;
  }
};

TEST_P(HostileClients, AnEndlessHeaderLineIsRefusedWithFlatMemory) {
  RawClient client(port());
  const auto before = resident_kib();
  client.send("GET /health HTTP/1.1\r\nX-Long: ");
  const std::string piece(65536, 'x');
  for (int i = 0; i < 3200 && client.send(piece); ++i) {
  }
  EXPECT_EQ(client.read_reply().status, 431);
  EXPECT_LT(resident_kib() - before, 16 * 1024);
}

TEST_P(HostileClients, TenThousandHeadersAreRefused) {
  RawClient client(port());
  std::string text = "GET /health HTTP/1.1\r\nHost: t\r\n";
  for (int i = 0; i < 10'000; ++i) text += "X-" + std::to_string(i) + ": y\r\n";
  client.send(text + "\r\n");
  EXPECT_EQ(client.read_reply().status, 431);
  EXPECT_TRUE(client.is_closed_within(10s));

  RawClient fewer(port());
  text = "GET /health HTTP/1.1\r\nHost: t\r\n";
  for (int i = 0; i < 200; ++i) text += "X-" + std::to_string(i) + ": y\r\n";
  fewer.send(text + "\r\n");
  const auto answer = fewer.read_reply();
  EXPECT_EQ(answer.status, 431);
  EXPECT_TRUE(answer.closes());
  EXPECT_NE(answer.body.find("100 header lines"), std::string::npos);

  RawClient longer(port());
  longer.send("GET /health HTTP/1.1\r\nHost: t\r\nX-Long: " + std::string(9000, 'x') + "\r\n\r\n");
  EXPECT_EQ(longer.read_reply().status, 431);
}

TEST_P(HostileClients, ALongUrlIs414) {
  const auto answer = get("/health?x=" + std::string(9000, 'y'));
  EXPECT_EQ(answer.status, 414);
  EXPECT_NE(answer.body.find("detail"), std::string::npos);
}

TEST_P(HostileClients, WhatIsNoHttpIsRefusedAndClosed) {
  for (const char* text :
       {"\x16\x03\x01\x02\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: t\r\nno colon\r\n\r\n", "\r\n\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: t\r\n\r\n", "GET /health HTTP/1.1\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET /health HTTP/1.1\r\nHost : t\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: t\r\n folded: x\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: t\r\nX: a\nContent-Length: 5\r\n\r\n"}) {
    RawClient client(port());
    client.send(text);
    const auto answer = client.read_reply();
    EXPECT_TRUE(answer.status == 400 || answer.status == 0) << text << answer.status;
    EXPECT_TRUE(client.is_closed_within(10s)) << text;
  }
  EXPECT_EQ(get("/health").status, 200);
}

TEST_P(HostileClients, AnUnknownMethodIs501) {
  const auto answer = call(port(), "BREW", "/health");
  EXPECT_EQ(answer.status, 501);
  EXPECT_TRUE(answer.closes());
  EXPECT_NE(answer.body.find("'BREW'"), std::string::npos) << answer.body;
}

TEST_P(HostileClients, ATargetInAbsoluteFormIsServed) {
  for (const char* target : {"http://t/health", "HTTPS://t:8080/health", "http://t/health?x=http://y/"})
    EXPECT_EQ(get(target).status, 200) << target;
  EXPECT_EQ(get("http://t").status, 404);
  EXPECT_EQ(get("http://t?x=1").status, 404);
  EXPECT_EQ(get("http://t/api/firmware/check").status, 422);
}

TEST_P(HostileClients, EndlessAndNegativeChunksAreRefused) {
  RawClient endless(port());
  endless.send(std::string(kStatus) + "Transfer-Encoding: chunked\r\n\r\n");
  const std::string piece = "1000\r\n" + std::string(4096, 'x') + "\r\n";
  for (int i = 0; i < 50'000 && endless.send(piece); ++i) {
  }
  EXPECT_EQ(endless.read_reply().status, 413);
  for (const char* chunk : {"-1\r\n", "ffffffffffffffff\r\n", "fffffffffffffffff\r\nx", "zz\r\n", "\r\n"}) {
    RawClient client(port());
    client.send(std::string(kStatus) + "Transfer-Encoding: chunked\r\n\r\n" + chunk + "\r\n\r\n");
    const auto answer = client.read_reply();
    EXPECT_TRUE(answer.status == 400 || answer.status == 413) << chunk << answer.status;
    EXPECT_TRUE(client.is_closed_within(10s)) << chunk;
  }
  EXPECT_EQ(desk_.count(), 0U);
}

TEST_P(HostileClients, ABodyOfAnUnknownRouteIsNotRead) {
  RawClient client(port());
  client.send("POST /api/nothing HTTP/1.1\r\nHost: t\r\nContent-Length: 100000000000\r\n\r\n");
  const auto answer = client.read_reply();
  EXPECT_EQ(answer.status, 404);
  EXPECT_TRUE(answer.closes());
}

TEST_P(HostileClients, AnUnreadBodyIsNotTakenForTheNextRequest) {
  RawClient client(port());
  const std::string smuggled =
      "GET /api/admin/devices HTTP/1.1\r\nHost: t\r\nX-API-Key: correct-horse\r\n\r\n";
  client.send("GET /health HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(smuggled.size()) +
              "\r\n\r\n" + smuggled);
  EXPECT_EQ(client.read_reply().status, 200);
  EXPECT_EQ(client.read_reply().status, 0);
  EXPECT_EQ(fleet_.asked, "");
}

TEST_P(HostileClients, ThousandsOfPipelinedRequestsAreServedInTurnToASlowReader) {
  options_.io_timeout = 2s;
  RawClient client(port(), 4096);  // the answers fill every buffer on their way
  constexpr int kCount = 30'000;
  const auto is_check = [](int i) { return i % 100 != 99; };
  std::string text;
  for (int i = 0; i < kCount; ++i) {
    text += is_check(i) ? "GET /api/firmware/check HTTP/1.1\r\nHost: t\r\n\r\n"
                        : "GET /health HTTP/1.1\r\nHost: t\r\n\r\n";
  }
  constexpr std::size_t kPieceBytes = 1000;
  std::atomic<std::size_t> sent_bytes{0};
  std::thread sender([&] {
    while (sent_bytes < text.size() && client.send(std::string_view(text).substr(sent_bytes, kPieceBytes)))
      sent_bytes += kPieceBytes;
  });
  // Reads once the server takes no more; earlier on a slow machine, where this shows less.
  for (std::size_t before = 1; before != sent_bytes;) {
    before = sent_bytes;
    std::this_thread::sleep_for(200ms);
  }
  // So slowly that none of the kernel's buffers empties within io_timeout, then the rest at once.
  const auto slow_until = Clock::now() + 2 * options_.io_timeout;
  int served = 0;
  while (served < kCount && client.read_reply().status == (is_check(served) ? 422 : 200)) {
    ++served;
    if (Clock::now() < slow_until) std::this_thread::sleep_for(2ms);
  }
  EXPECT_EQ(served, kCount);
  sender.join();
}

TEST_P(HostileClients, AClientThatLeavesItsAnswersLyingIsCutAndHindersNobody) {
  options_.io_timeout = 2s;
  RawClient greedy(port(), 4096);
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "GET /api/firmware/check HTTP/1.1\r\nHost: t\r\n\r\n";
  std::atomic<bool> cut{false};
  std::thread sender([&] {
    while (greedy.send(text)) {
    }
    cut = true;
  });
  EXPECT_TRUE(test_support::eventually([&] {
    EXPECT_EQ(get("/health").status, 200);
    return cut.load();
  }));
  sender.join();
}

TEST_P(HostileClients, AClientThatNeverPausesSharesItsThread) {
  options_.threads_max = 16;  // one of them for monitors
  options_.downloads_max = 8;
  RawClient busy(port());
  std::string text;
  constexpr int kAhead = 200;
  for (int i = 0; i < kAhead; ++i) text += "GET /health HTTP/1.1\r\nHost: t\r\n\r\n";
  std::atomic<bool> done{false};
  std::atomic<int> answers{0};
  std::thread asking([&] {
    bool served = busy.send(text);  // the server always has the next request
    while (served && !done) {
      served = busy.send(text);
      for (int i = 0; i < kAhead && served; ++i, ++answers) served = busy.read_reply().status == 200;
    }
  });
  EXPECT_TRUE(test_support::eventually([&] { return answers > 0; }));
  const int before = answers;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(get("/health").status, 200);
  EXPECT_LT(answers - before, 100'000) << "others have their turn after a request, not after a thousand";
  done = true;
  asking.join();
}

TEST_P(HostileClients, AThousandHalfRequestsHinderNobody) {
  options_.threads_max = 32;
  options_.downloads_max = 8;
  port();
  std::vector<RawClient> idle;
  for (int i = 0; i < 1000; ++i) {
    idle.emplace_back(port());
    idle.back().send(i % 2 == 0 ? "GET /health HT" : "");
  }
  EXPECT_LT(slowest_health(50), 1s);
  EXPECT_EQ(get("/api/firmware/check?device_id=a&device_model=m&current_version=1").status, 200);
}

TEST_P(HostileClients, HalfRequestsAndIdleConnectionsAreClosedInTime) {
  options_.request_timeout = 1s;
  options_.keep_alive = 1s;
  options_.io_timeout = 1s;
  RawClient silent(port());
  RawClient half(port());
  half.send("GET /health HTTP/1.1\r\nHost: t\r\n");
  RawClient body(port());
  body.send(std::string(kStatus) + "Content-Length: 50\r\n\r\n{");
  EXPECT_EQ(body.read_reply().status, 408);
  RawClient kept(port());
  kept.send("GET /health HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(kept.read_reply().status, 200);
  EXPECT_TRUE(silent.is_closed_within(10s));
  EXPECT_TRUE(half.is_closed_within(10s));
  EXPECT_TRUE(body.is_closed_within(10s));
  EXPECT_TRUE(kept.is_closed_within(10s));
}

TEST_P(HostileClients, ABodyByDripsIsCutAtTheRequestTimeout) {
  options_.request_timeout = 1s;
  RawClient client(port());
  client.send(std::string(kStatus) + "Content-Length: 1000000\r\n\r\n");
  const auto began = Clock::now();
  RawClient drip(port());
  drip.send(std::string(kStatus) + "Content-Length: 60000\r\n\r\n");
  while (Clock::now() - began < 10s && drip.send("x")) std::this_thread::sleep_for(50ms);
  EXPECT_LT(Clock::now() - began, 8s);
}

TEST_P(HostileClients, SlowDownloadsHinderNobodyAndBeyondTheCapIs503) {
  options_.threads_max = 40;
  options_.downloads_max = 20;
  options_.upload_bytes_max = 32 * 1024 * 1024;
  add_image("1.1.0", "esp32", std::string(16 * 1024 * 1024, 'x'));
  std::vector<RawClient> slow;
  for (int i = 0; i < 20; ++i) {
    slow.emplace_back(port(), 4096);
    slow.back().send("GET /api/firmware/download/1.1.0 HTTP/1.1\r\nHost: t\r\n\r\n");
    ASSERT_FALSE(slow.back().read_some(1000).empty());
  }
  EXPECT_LT(slowest_health(50), 500ms);
  const auto refused = get("/api/firmware/download/1.1.0");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.header("retry-after"), "5");
  EXPECT_EQ(get_as_admin("/api/admin/devices").status, 200);
  slow.clear();
  EXPECT_TRUE(test_support::eventually([&] { return get("/api/firmware/download/1.1.0").status == 200; }));
}

TEST_P(HostileClients, ATransferBelowTheMinimumRateIsCutAndASlowOneIsNot) {
  options_.bytes_per_second_min = 20'000;
  options_.rate_window = 1s;
  options_.upload_bytes_max = 32 * 1024 * 1024;
  constexpr std::size_t kImageBytes = 16 * 1024 * 1024;
  add_image("1.1.0", "esp32", std::string(kImageBytes, 'x'));
  RawClient stalled(port(), 4096);
  stalled.send("GET /api/firmware/download/1.1.0 HTTP/1.1\r\nHost: t\r\n\r\n");
  RawClient slow(port(), 4096);
  slow.send("GET /api/firmware/download/1.1.0 HTTP/1.1\r\nHost: t\r\n\r\n");
  std::size_t read = 0;
  for (int i = 0; i < 60; ++i) {
    read += slow.read_some(8192).size();
    std::this_thread::sleep_for(50ms);
  }
  EXPECT_GT(read, 100'000U);
  // The stalled one was cut: what the kernels hold comes, then the end, long before the image's.
  std::size_t held = 0;
  for (auto piece = stalled.read_some(65536); !piece.empty(); piece = stalled.read_some(65536))
    held += piece.size();
  EXPECT_LT(held, kImageBytes);
  EXPECT_FALSE(slow.read_some(8192).empty());
}

TEST_P(HostileClients, AHangingDatabaseLeavesTheOtherRoutesTheirRoom) {
  options_.threads_max = 24;
  options_.downloads_max = 8;
  options_.queue_max = 30;
  options_.answer_timeout = 4s;
  port();
  desk_.holds = true;
  std::vector<RawClient> waiting;
  for (int i = 0; i < 100; ++i) {
    waiting.emplace_back(port());
    waiting.back().send(
        "GET /api/firmware/check?device_id=a&device_model=m&current_version=1 HTTP/1.1\r\nHost: t\r\n\r\n");
  }
  EXPECT_TRUE(test_support::eventually([&] { return desk_.held() >= 10; }));
  EXPECT_LT(slowest_health(20), 1s);
  EXPECT_EQ(get_as_admin("/api/admin/devices").status, 200);
  int refused = 0;
  for (auto& client : waiting) refused += client.read_reply(false, 20ms).status == 503 ? 1 : 0;
  EXPECT_GT(refused, 30) << "beyond the queue, checks are refused at once";
}

INSTANTIATE_TEST_SUITE_P(Transport, HostileClients, ::testing::Bool(),
                         [](const auto& one) { return one.param ? "Tls" : "Plain"; });

}  // namespace
}  // namespace ota::tests
