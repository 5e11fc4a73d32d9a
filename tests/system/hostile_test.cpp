// Bad input and floods against the real bridge and broker: refused with a reason, counted, in bounded memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <thread>

#include "tests/support/database.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/hand_played_device.hpp"
#include "tests/support/rest_client.hpp"
#include "tests/support/stack.hpp"
#include "tests/unit/http/raw_client.hpp"

namespace ota {
namespace {

using nlohmann::json;
using test_support::Database;
using test_support::eventually;
using test_support::HandPlayedDevice;
using test_support::MqttClient;
using test_support::MqttLogin;
using test_support::MqttPeer;
using test_support::RestClient;
using test_support::Stack;
using tests::RawClient;
using Clock = std::chrono::steady_clock;

#ifdef __SANITIZE_ADDRESS__
constexpr std::int64_t kGrowthKibMax = 64 * 1024;  // it keeps what is freed for a while
#else
constexpr std::int64_t kGrowthKibMax = 16 * 1024;
#endif

// The most memory a process has had since reset_peak.
void reset_peak(pid_t pid) {
  std::ofstream("/proc/" + std::to_string(pid) + "/clear_refs") << "5";
}
std::int64_t peak_kib(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stoll(line.substr(6));
  }
  return -1;
}

std::string as_chunk(const std::string& bytes) {
  char length[16];
  std::snprintf(length, sizeof length, "%zx\r\n", bytes.size());
  return length + bytes + "\r\n";
}

class Hostile : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { stack_ = new Stack({"postgres", "mosquitto", "bridge"}); }
  static void TearDownTestSuite() {
    delete stack_;
    stack_ = nullptr;
  }

  /// What the bridge has counted of a kind of refusals.
  std::int64_t refused(const std::string& kind) {
    const auto text = rest_.get("/metrics?format=prometheus").body;
    const auto name = "ota_refused_messages_total{kind=\"" + kind + "\"} ";
    const auto at = text.find(name);
    return at == std::string::npos ? 0 : std::stoll(text.substr(at + name.size()));
  }
  static int http_port() {
    const auto& url = stack_->env("OTA_URL");
    return std::stoi(url.substr(url.rfind(':') + 1));
  }
  /// How much more memory than before a part took at the most while `act` ran, in KiB.
  template <class Act>
  std::int64_t growth_kib(const std::string& part, Act act) {
    const pid_t pid = stack_->pid(part);
    act();  // what is allocated once and kept
    reset_peak(pid);
    const auto before = peak_kib(pid);
    EXPECT_GT(before, 0);
    act();
    return peak_kib(pid) - before;
  }
  static std::string with_key(const std::string& head) {
    return head + "X-API-Key: " + stack_->env("API_KEY") + "\r\n";
  }

  static Stack* stack_;
  RestClient rest_{*stack_};
  Database database_{*stack_};
};

Stack* Hostile::stack_ = nullptr;

// ---- hostile ids and bodies ----------------------------------------------------------------------

TEST_F(Hostile, IdsOutsideTheGrammarAreRefusedAndCountedOverBothWays) {
  const auto devices_before = database_.value("SELECT count(*) FROM devices");
  const auto checks_before = refused("check");
  const std::vector<std::string> encoded = {"a%2Fb", "a%2Bb", "%23", "%24SYS", "a%00b", "a%0Ab",
                                            "a%FF",  "..",    "%7F", "a%20b",  ""};
  for (const auto& id : encoded) {
    EXPECT_EQ(rest_.get("/api/firmware/check?device_id=" + id + "&device_model=m&current_version=1").status,
              422)
        << id;
  }
  const std::string long_id(7000, 'a');
  EXPECT_EQ(
      rest_.get("/api/firmware/check?device_id=" + long_id + "&device_model=m&current_version=1").status,
      422);
  EXPECT_EQ(refused("check"), checks_before + static_cast<std::int64_t>(encoded.size()) + 1);
  EXPECT_EQ(rest_.get("/api/firmware/check?device_id=" + std::string(65536, 'a')).status, 431);

  // Devices can only write below their own name; this user could write below any.
  MqttPeer anyone(*stack_, "BRIDGE");
  const auto topics_before = refused("topic");
  const std::vector<std::string> ids = {
      "..", ".", "a b", "$SYS", "\xc3\xa4", "a\"b", std::string(60000, 'a')};
  for (const auto& id : ids) {
    anyone.publish("ota/v1/device/" + id + "/check", R"({"device_model":"m","current_version":"1"})");
  }
  EXPECT_TRUE(eventually([&] {
    return refused("topic") == topics_before + static_cast<std::int64_t>(ids.size());
  })) << refused("topic") - topics_before;
  EXPECT_EQ(database_.value("SELECT count(*) FROM devices"), devices_before);
}

TEST_F(Hostile, NumbersOutOfRangeNameTheirFieldOverBothWays) {
  HandPlayedDevice device(*stack_, "numbers-1", "m-numbers");
  const auto before = refused("status");
  std::int64_t tried = 0;
  for (const char* wrong : {"-1", "101", "9223372036854775808", "1e400", "\"5\"", "5.5", "[5]", "{}"}) {
    const std::string body = std::string(R"({"firmware_version":"1","status":"downloading","report_id":"n)") +
                             std::to_string(++tried) + R"(","progress_percent":)" + wrong + "}";
    const auto over_rest = tests::call(http_port(), "POST", "/api/device/numbers-2/update-status", {}, body);
    const bool is_readable = std::string(wrong) != "1e400";
    EXPECT_EQ(over_rest.status, is_readable ? 422 : 400) << wrong << over_rest.body;
    const std::string named = is_readable ? "progress_percent" : "out of range";
    EXPECT_NE(over_rest.body.find(named), std::string::npos) << over_rest.body;
    if (!is_readable) continue;  // without a readable report_id there is nothing to acknowledge
    const auto from = device.mqtt().received();
    device.mqtt().publish(device.topic("status"), body);
    const auto ack = device.ack_of("n" + std::to_string(tried), from, std::chrono::seconds(15));
    EXPECT_EQ(ack.value("recorded", true), false) << wrong;
    EXPECT_NE(ack.value("reason", "").find(named), std::string::npos) << ack;
    std::this_thread::sleep_for(std::chrono::milliseconds(250));  // within its rate
  }
  EXPECT_EQ(refused("status"), before + 2 * tried - 1);
  for (const char* wrong : {"-1", "0", "501", "9223372036854775808", "1e400", "%225%22", "5x"}) {
    const auto answer = rest_.get(std::string("/api/admin/devices?limit=") + wrong);
    EXPECT_EQ(answer.status, 422) << wrong;
    EXPECT_NE(answer.body.find("limit"), std::string::npos) << answer.body;
  }
  for (const char* wrong : {"-1", "101", "9223372036854775808", "1e400", "\"5\""}) {
    const auto answer =
        tests::call(http_port(), "POST", "/api/admin/rollout/create", {{"X-API-Key", stack_->env("API_KEY")}},
                    std::string(R"({"name":"n","firmware_version":"1","device_model":"m",)") +
                        R"("target_type":"all","rollout_percentage":)" + wrong + "}");
    EXPECT_TRUE(answer.status == 422 || answer.status == 400) << wrong << answer.status;
  }
  EXPECT_EQ(database_.value("SELECT count(*) FROM device_update_status WHERE device_id LIKE 'numbers-%'"),
            "0");
}

TEST_F(Hostile, DeepAndDoubledJsonIsRefusedInBoundedMemory) {
  const auto growth = growth_kib("bridge", [&] {
    for (const std::string& body :
         {std::string(65000, '['),
          std::string(R"({"a":)") + std::string(32000, '[') + std::string(32000, ']') + "}",
          std::string(R"({"status":"success","status":"failed","firmware_version":"1"})")}) {
      for (int i = 0; i < 50; ++i) {
        ASSERT_EQ(tests::call(http_port(), "POST", "/api/device/deep-1/update-status", {}, body).status, 400);
      }
    }
  });
  EXPECT_LT(growth, kGrowthKibMax);
}

// ---- hostile HTTP --------------------------------------------------------------------------------

TEST_F(Hostile, EndlessRequestsCostTheBridgeNoMemory) {
  const std::string piece(65536, 'x');
  const auto endless_line = [&] {
    RawClient client(http_port());
    client.send("GET /health HTTP/1.1\r\nX-Long: ");
    // Refused after 32 kB; what comes then is thrown away for a moment, so that the client hears why.
    for (std::int64_t sent = 0; sent < (std::int64_t{1} << 30) && client.send(piece); sent += 65536) {
    }
    EXPECT_EQ(client.read_reply().status, 431);
  };
  const auto many_headers = [&] {
    RawClient client(http_port());
    std::string text = "GET /health HTTP/1.1\r\n";
    for (int i = 0; i < 10'000; ++i) text += "X-" + std::to_string(i) + ": y\r\n";
    client.send(text + "\r\n");
    EXPECT_EQ(client.read_reply().status, 431);
  };
  const auto endless_chunks = [&] {
    RawClient client(http_port());
    client.send("POST /api/device/d/update-status HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
    const auto chunk = as_chunk(piece);
    for (int i = 0; i < 16'384 && client.send(chunk); ++i) {
    }
    EXPECT_EQ(client.read_reply().status, 413);
  };
  const auto negative_chunk = [&] {
    RawClient client(http_port());
    client.send(
        "POST /api/device/d/update-status HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: "
        "chunked\r\n\r\n-1\r\n\r\n");
    const int status = client.read_reply().status;
    EXPECT_TRUE(status == 400 || status == 413) << status;
  };
  const auto growth = growth_kib("bridge", [&] {
    std::vector<std::thread> clients;
    for (int i = 0; i < 4; ++i) {
      clients.emplace_back(endless_line);
      clients.emplace_back(many_headers);
      clients.emplace_back(endless_chunks);
      clients.emplace_back(negative_chunk);
    }
    for (auto& client : clients) client.join();
  });
  EXPECT_LT(growth, kGrowthKibMax);
  EXPECT_EQ(rest_.get("/health").status, 200);
}

TEST_F(Hostile, AnUploadBeyondTheLimitLeavesNothingAndCostsNoMemory) {
  const auto chunk = as_chunk(std::string(65536, 'x'));
  const auto growth = growth_kib("bridge", [&] {
    RawClient client(http_port());
    client.send(
        with_key("POST /api/admin/firmware/upload?version=9.9.9&device_model=m-large HTTP/1.1\r\nHost: t\r\n"
                 "Content-Type: multipart/form-data; boundary=edge\r\nTransfer-Encoding: chunked\r\n") +
        "\r\n" + as_chunk("--edge\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n"));
    for (int i = 0; i < 2048 && client.send(chunk); ++i) {  // twice the limit
    }
    const auto answer = client.read_reply();
    EXPECT_EQ(answer.status, 413) << answer.body;
  });
  EXPECT_LT(growth, kGrowthKibMax);
  EXPECT_EQ(database_.value("SELECT count(*) FROM firmware_releases WHERE device_model = 'm-large'"), "0");
  EXPECT_TRUE(eventually([&] {
    std::size_t files = 0;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(stack_->directory() / "firmware")) {
      files += entry.is_regular_file() && entry.file_size() > 0 ? 1 : 0;
    }
    return files == 0;
  }));
}

// ---- hostile devices -----------------------------------------------------------------------------

TEST_F(Hostile, APacketOf256MegabytesIsCutByTheBroker) {
  MqttLogin login;
  const auto enrolment = stack_->enrol("heavy-1");
  login.port = stack_->port("MQTTS_PORT");
  login.ca = enrolment.ca;
  login.cert = enrolment.cert;
  login.key = enrolment.key;
  login.version = 4;  // a v5 library would refuse by itself: the broker tells it the limit
  const std::string payload(255 << 20, 'x');
  const auto growth = growth_kib("mosquitto", [&] {
    MqttClient client(login);
    ASSERT_EQ(client.connect(), 0);
    EXPECT_EQ(client.publish("ota/v1/device/heavy-1/status", payload), MqttClient::kNoAnswer);
    EXPECT_TRUE(client.wait_for_disconnect());
  });
  EXPECT_LT(growth, kGrowthKibMax);
  HandPlayedDevice other(*stack_, "light-1", "m-heavy");
  EXPECT_EQ(other.check("1.0.0").value("update_available", true), false);
}

// The time from a check to its answer, of each of `count` devices `times` in a row; sorted.
std::vector<Clock::duration> answer_times(Stack& stack, const std::string& prefix, int count, int times) {
  std::vector<std::unique_ptr<HandPlayedDevice>> devices;
  for (int i = 0; i < count; ++i) {
    devices.push_back(std::make_unique<HandPlayedDevice>(stack, prefix + std::to_string(i), "m-flood"));
  }
  std::vector<Clock::duration> took;
  for (int i = 0; i < times; ++i) {
    for (auto& device : devices) {
      const auto began = Clock::now();
      EXPECT_FALSE(device->check("1.0.0").is_null());
      took.push_back(Clock::now() - began);
    }
  }
  std::sort(took.begin(), took.end());
  return took;
}

TEST_F(Hostile, ADeviceThatFloodsIsCappedAndCountedAndTheOthersAreServed) {
  const auto calm = answer_times(*stack_, "calm-", 8, 15);
  const auto capped_before = refused("rate");
  std::atomic<bool> over{false};
  std::atomic<std::int64_t> sent{0};
  MqttPeer flood(*stack_, "flood-1", stack_->enrol("flood-1"));
  std::thread flooding([&] {
    while (!over) {
      flood.publish("ota/v1/device/flood-1/check", R"({"device_model":"m-flood","current_version":"1.0.0"})");
      ++sent;
    }
  });
  const auto began = Clock::now();
  const auto busy = answer_times(*stack_, "busy-", 8, 15);
  over = true;
  flooding.join();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - began).count() + 1;

  const auto admitted_max = 20 + 5 * seconds;
  ASSERT_GT(sent, 2 * admitted_max) << "that was no flood";
  EXPECT_TRUE(eventually([&] { return refused("rate") - capped_before >= sent - admitted_max; }))
      << sent << " sent, " << refused("rate") - capped_before << " refused in " << seconds << " s";
  const auto p99 = [](const std::vector<Clock::duration>& times) { return times[times.size() * 99 / 100]; };
  using Milliseconds = std::chrono::duration<double, std::milli>;
  RecordProperty("calm_p99_ms", std::to_string(Milliseconds(p99(calm)).count()));
  RecordProperty("busy_p99_ms", std::to_string(Milliseconds(p99(busy)).count()));
  EXPECT_EQ(busy.size(), calm.size()) << "everybody else was answered";
}

TEST_F(Hostile, ACappedReportGetsNoAckAndIsTakenWhenSentAgain) {
  HandPlayedDevice device(*stack_, "eager-1", "m-eager");
  device.check("1.0.0");
  const auto from = device.mqtt().received();
  const auto report = [&](int number) {
    device.mqtt().publish(
        device.topic("status"),
        json{{"firmware_version", "1.1.0"}, {"status", "failed"}, {"report_id", "e" + std::to_string(number)}}
            .dump());
  };
  for (int i = 0; i < 60; ++i) report(i);
  EXPECT_EQ(device.ack_of("e0", from, std::chrono::seconds(15)).value("recorded", false), true);
  EXPECT_TRUE(device.ack_of("e59", from, std::chrono::seconds(1)).is_null()) << "beyond the rate: no word";
  report(59);
  EXPECT_EQ(device.ack_of("e59", from, std::chrono::seconds(15)).value("recorded", false), true);
}

TEST_F(Hostile, APollerThatFloodsIsToldToWaitAndSilencesNobodyOverMqtt) {
  const std::string path = "/api/firmware/check?device_id=posed-1&device_model=m-posed&current_version=1.0.0";
  int capped = 0;
  for (int i = 0; i < 100; ++i) capped += rest_.get(path).status == 429 ? 1 : 0;
  EXPECT_GT(capped, 20);
  HandPlayedDevice device(*stack_, "posed-1", "m-posed");
  EXPECT_EQ(device.check("1.0.0").value("update_available", true), false);
}

}  // namespace
}  // namespace ota
