// A whole simulated device, files and libcurl and all, against a server that may do anything wrong.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "esp-client/host/rest_link.hpp"
#include "esp-client/host/sha256.hpp"
#include "esp-client/host/simulated_device.hpp"
#include "tests/unit/esp-client/http_script_server.hpp"

namespace ota::device::host {
namespace {

using tests::HttpScriptServer;
using tests::Request;

class QuietWatcher final : public DeviceWatcher {
 public:
  void transition(const std::string&, State, State, std::string_view) override {}
  void settled(const std::string&, const Result&, bool) override {}
  void problem(const std::string&, std::string_view what) override { problems.emplace_back(what); }
  void started(const std::string&, std::string_view version) override { versions.emplace_back(version); }
  std::vector<std::string> problems;
  std::vector<std::string> versions;  // one a start
};

constexpr std::uint64_t kSeed = 7;

class RestDevice : public ::testing::Test {
 protected:
  RestDevice()
      : server_([this](const Request& request) { return answer(request); }), http_(loop_, HttpOptions()) {
    std::string pattern = (std::filesystem::temp_directory_path() / "ota-device-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    for (std::size_t i = 0; i < 300'000; ++i) image_ += static_cast<char>(i * i % 251);
    std::ofstream(folder_ + "/image", std::ios::binary) << image_;
    Digest digest{};
    (void)sha256_of_file(folder_ + "/image", image_.size(), digest);
    for (const std::uint8_t byte : digest) {
      sha256_ += "0123456789abcdef"[byte >> 4U];
      sha256_ += "0123456789abcdef"[byte & 0xFU];
    }
    options_.identity.device_id.append_cut("d:1");
    options_.identity.model.append_cut("esp32");
    options_.first_version = "1.0.0+a";
    options_.folder = folder_ + "/d1";
    options_.http_base_url = server_.url();
    options_.reboot_ms = 1;
    options_.durable = false;
    options_.timing.download_retry = {1, 5};
    options_.timing.progress_gap_ms = 0;
    options_.timing.check_retry = {1, 5};
    options_.timing.result_retry = {1, 5};
    options_.timing.answer_timeout_ms = 50;
    make_device();
  }
  ~RestDevice() override {
    device_.reset();
    std::filesystem::remove_all(folder_);
  }

  void make_device() {
    device_.reset();
    device_ = std::make_unique<SimulatedDevice>(
        options_, http_,
        [this](const std::string& id, Observer& observer) {
          return std::make_unique<RestLink>(http_, server_.url(), id, observer, kSeed, options_.credentials);
        },
        watcher_);
  }

  // Polls until `done`, for at most half a minute.
  template <class Done>
  [[nodiscard]] bool run_until(Done done) {
    const std::uint64_t until_ms = steady_now_ms() + 30'000;
    while (!done()) {
      if (steady_now_ms() > until_ms) return false;
      loop_.run_once(2);
      http_.poll();
      device_->poll(steady_now_ms());
    }
    return true;
  }
  [[nodiscard]] bool run_until_settled() {
    return run_until([this] { return device_->last_settled().has_value(); });
  }

  std::string answer(const Request& request) {
    if (away_) return "";
    if (request.line.rfind("GET /health ", 0) == 0) {
      if (++knocks_ <= knocks_unanswered_) return "";
      return HttpScriptServer::response(health_, "{}");
    }
    if (request.line.rfind("GET /api/firmware/check?", 0) == 0) {
      const bool updated = request.line.find("current_version=1.1.0") != std::string::npos;
      return HttpScriptServer::response(
          check_head_, updated
                           ? R"({"update_available":false,"current_version":"1.1.0"})"
                           : R"({"update_available":true,"current_version":"1.0.0","latest_version":"1.1.0",)"
                             R"("download_url":")" +
                                 download_url_ +
                                 R"(","file_size":300000,)"
                                 R"("checksum_sha256":")" +
                                 sha256_ + R"(","attempt_id":7})");
    }
    if (request.line.rfind("POST /api/device/d%3A1/update-status ", 0) == 0) {
      if (posts_to_fail_ > 0 && posts_to_fail_-- > 0) return HttpScriptServer::response(post_failure_, "{}");
      return HttpScriptServer::response("200 OK", R"({"status":"ok"})");
    }
    ++downloads_;
    return download_ ? download_(request) : good_download(request);
  }
  std::string good_download(const Request& request) const {
    const std::size_t at = request.head.find("Range: bytes=");
    if (at == std::string::npos) return HttpScriptServer::response("200 OK", image_);
    const std::size_t from = std::stoul(request.head.substr(at + 13));
    return HttpScriptServer::response(
        "206 Partial Content\r\nContent-Range: bytes " + std::to_string(from) + "-299999/300000",
        image_.substr(from));
  }
  void expect_updated() {
    ASSERT_TRUE(run_until_settled());
    EXPECT_EQ(device_->last_settled()->status, Status::kSuccess) << device_->last_settled()->reason.view();
    std::ifstream slot(options_.folder + "/slot-b.bin", std::ios::binary);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(slot), {}), image_);
  }

  std::string image_;
  std::string sha256_;
  std::function<std::string(const Request&)> download_;
  std::string check_head_ = "200 OK";
  std::string download_url_ = "/api/firmware/download/1.1.0";
  std::string post_failure_ = "503 Busy";
  std::atomic<int> posts_to_fail_{0};
  std::string health_ = "200 OK";
  int knocks_unanswered_ = 0;
  std::atomic<bool> away_{false};
  std::atomic<int> knocks_{0};
  std::atomic<int> downloads_{0};
  std::string folder_;
  DeviceOptions options_;
  EventLoop loop_;
  HttpScriptServer server_;
  HttpClient http_;
  QuietWatcher watcher_;
  std::unique_ptr<SimulatedDevice> device_;
};

TEST_F(RestDevice, UpdatesItself) {
  expect_updated();
  const std::vector<Request> requests = server_.requests();
  EXPECT_NE(requests.front().line.find("manifest=1"), std::string::npos);
  EXPECT_NE(requests.front().line.find("current_version=1.0.0%2Ba"), std::string::npos)
      << requests.front().line;
  EXPECT_NE(requests.back().body.find(R"("status":"success")"), std::string::npos);
  EXPECT_NE(requests.back().body.find(R"("attempt_id":7)"), std::string::npos);
}

TEST_F(RestDevice, ResumesWhereTheConnectionBroke) {
  download_ = [this](const Request& request) {
    if (request.has("Range:")) return good_download(request);
    return HttpScriptServer::response("200 OK", image_.substr(0, 100'000), 300'000);
  };
  expect_updated();
  EXPECT_TRUE(server_.requests().size() > 3);
  EXPECT_EQ(downloads_, 2);
}

TEST_F(RestDevice, ResumesAfterItsOwnRestart) {
  download_ = [this](const Request& request) {
    if (request.has("Range:")) return good_download(request);
    return HttpScriptServer::response("200 OK", image_.substr(0, 200'000), 300'000);
  };
  options_.timing.download_retry = {600'000, 600'000};  // the first device waits for ever
  make_device();
  ASSERT_TRUE(run_until([this] {
    return std::filesystem::exists(options_.folder + "/slot-b.bin") &&
           std::filesystem::file_size(options_.folder + "/slot-b.bin") == 200'000;
  }));
  make_device();
  expect_updated();
}

TEST_F(RestDevice, ReadsFromTheStartWhenTheRangeIsIgnored) {
  download_ = [this](const Request& request) {
    return HttpScriptServer::response("200 OK", request.has("Range:") ? image_ : image_.substr(0, 90'000),
                                      300'000);
  };
  expect_updated();
}

TEST_F(RestDevice, StartsOverAfterAForeignRange) {
  download_ = [this](const Request& request) {
    if (downloads_ == 1) return HttpScriptServer::response("200 OK", image_.substr(0, 90'000), 300'000);
    if (!request.has("Range:")) return HttpScriptServer::response("200 OK", image_);
    return HttpScriptServer::response("206 Partial Content\r\nContent-Range: bytes 5-299999/300000",
                                      image_.substr(5));
  };
  expect_updated();
}

TEST_F(RestDevice, WaitsWhenTheServerIsBusyAndStartsOverAfter416) {
  download_ = [this](const Request& request) {
    if (downloads_ == 1) return HttpScriptServer::response("200 OK", image_.substr(0, 90'000), 300'000);
    if (downloads_ == 2) return HttpScriptServer::response("503 Busy\r\nRetry-After: 0", "later");
    if (request.has("Range:")) return HttpScriptServer::response("416 Range Not Satisfiable", "");
    return HttpScriptServer::response("200 OK", image_);
  };
  expect_updated();
}

TEST_F(RestDevice, SendsItsResultAgainUntilTheServerTakesIt) {
  download_ = [this](const Request& request) {
    posts_to_fail_ = 5;
    return good_download(request);
  };
  expect_updated();
}

TEST_F(RestDevice, ARefusedResultIsFinal) {
  post_failure_ = "422 Unprocessable";
  posts_to_fail_ = 1000;
  ASSERT_TRUE(run_until_settled());
  EXPECT_EQ(device_->last_settled()->status, Status::kSuccess);
}

TEST_F(RestDevice, AResultIsKeptWhileTheServerDoubtsWhoSentIt) {
  download_ = [this](const Request& request) {
    post_failure_ = "401 Unauthorized";
    posts_to_fail_ = 5;
    return good_download(request);
  };
  expect_updated();
  EXPECT_NE(server_.requests().back().body.find(R"("status":"success")"), std::string::npos);
}

TEST_F(RestDevice, SendsItsTokenWithEveryRequest) {
  options_.credentials.token = "t0ken";
  make_device();
  expect_updated();
  for (const Request& request : server_.requests())
    EXPECT_TRUE(request.has("\r\nAuthorization: Bearer t0ken")) << request.head;
}

TEST_F(RestDevice, ATokenGoesToItsOwnServerOnly) {
  options_.credentials.token = "t0ken";
  HttpScriptServer elsewhere([this](const Request& request) { return good_download(request); });
  download_url_ = elsewhere.url() + "/1.1.0";
  make_device();
  expect_updated();
  ASSERT_FALSE(elsewhere.requests().empty());
  EXPECT_FALSE(elsewhere.requests().front().has("t0ken"));

  download_url_ = "/api/firmware/download/1.1.0";
  download_ = [&](const Request&) {
    return HttpScriptServer::response("302 Found\r\nLocation: " + elsewhere.url() + "/moved", "");
  };
  std::filesystem::remove_all(options_.folder);
  make_device();
  expect_updated();
  EXPECT_FALSE(elsewhere.requests().back().has("t0ken"));
}

TEST_F(RestDevice, ABodyLongerThanOfferedIsRefused) {
  download_ = [this](const Request&) { return "HTTP/1.0 200 OK\r\n\r\n" + image_ + "x"; };
  ASSERT_TRUE(run_until_settled());
  EXPECT_EQ(device_->last_settled()->reason.view(), "the server sent more bytes than the offer said");
}

TEST_F(RestDevice, AServerThatDripsIsGivenUp) {
  options_.timing.rate_window_ms = 200;
  options_.timing.rate_bytes_per_s_min = 10'000;
  options_.timing.download_tries_max = 2;
  make_device();
  server_.drip(std::chrono::milliseconds(5));
  ASSERT_TRUE(run_until_settled());
  EXPECT_EQ(device_->last_settled()->reason.view(), "gave up: fewer than 10000 bytes a second");
}

TEST_F(RestDevice, GarbageInsteadOfHttpIsTriedAgain) {
  download_ = [this](const Request& request) {
    if (downloads_ < 3) return std::string("\x01\x02 this is not HTTP\r\n\r\n");
    if (downloads_ < 5) return std::string();
    return good_download(request);
  };
  expect_updated();
}

TEST_F(RestDevice, ANewImageThatReachesNoServerIsNotKept) {
  options_.timing.trial_ms = 300;
  options_.timing.install_report_wait_ms = 10;
  make_device();
  download_ = [this](const Request& request) {
    away_ = true;
    return good_download(request);
  };
  ASSERT_TRUE(run_until([this] { return watcher_.versions.size() == 3; }));
  EXPECT_EQ(watcher_.versions, (std::vector<std::string>{"1.0.0+a", "1.1.0", "1.0.0+a"}));
  away_ = false;
  ASSERT_TRUE(run_until_settled());
  EXPECT_EQ(device_->last_settled()->status, Status::kRolledBack);
}

TEST_F(RestDevice, ANewImageIsKeptOnceItsServerAnswersWhateverItSays) {
  health_ = "503 Service Unavailable";
  knocks_unanswered_ = 2;
  expect_updated();
  EXPECT_EQ(knocks_, 3) << "only an image on trial knocks, until it is answered";
  const std::vector<Request> requests = server_.requests();
  const auto first = [&](const std::string& text) {
    return std::find_if(requests.begin(), requests.end(),
                        [&](const Request& request) { return request.line.find(text) != std::string::npos; });
  };
  EXPECT_LT(first("/health"), first("current_version=1.1.0")) << "the hello is behind the proof";
}

TEST_F(RestDevice, AnImageThatDoesNotStartIsRolledBack) {
  options_.fault = FileSlots::Fault::kBootFails;
  make_device();
  ASSERT_TRUE(run_until_settled());
  EXPECT_EQ(device_->last_settled()->status, Status::kRolledBack);
  EXPECT_NE(server_.requests().back().body.find(R"("status":"rolled_back")"), std::string::npos);
}

}  // namespace
}  // namespace ota::device::host
