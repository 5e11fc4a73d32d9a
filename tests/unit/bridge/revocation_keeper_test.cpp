// The keeper of the revocation list on a real authority and real files; the broker is played.
#include "bridge/revocation_keeper.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

namespace ota::bridge {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

const fleet::Error kAway{fleet::ErrorKind::unavailable, "no database at /its/socket", "the database is away"};

class FakeRevocations final : public fleet::RevocationStore {
 public:
  struct Rows {
    std::vector<fleet::RevokedSerial> revoked;
    std::vector<fleet::UncutDevice> uncut;
    std::vector<std::string> adopted;
    bool away = false;
  };
  explicit FakeRevocations(Rows& rows) : rows_(rows) {}
  fleet::Expected<std::vector<fleet::RevokedSerial>> revoked() override {
    if (rows_.away) return tl::unexpected(kAway);
    return rows_.revoked;
  }
  fleet::Expected<void> adopt(const std::vector<fleet::RevokedSerial>& entries) override {
    for (const auto& entry : entries) {
      rows_.adopted.push_back(entry.serial);
      rows_.revoked.push_back(entry);
    }
    std::sort(rows_.revoked.begin(), rows_.revoked.end());
    return {};
  }
  fleet::Expected<std::vector<fleet::UncutDevice>> uncut(int) override {
    if (rows_.away) return tl::unexpected(kAway);
    return rows_.uncut;
  }
  fleet::Expected<void> mark_cut(const std::vector<fleet::UncutDevice>& cut) override {
    for (const auto& done : cut) {
      const auto is_done = [&](const fleet::UncutDevice& row) {
        return row.serial == done.serial && row.order == done.order;
      };
      rows_.uncut.erase(std::remove_if(rows_.uncut.begin(), rows_.uncut.end(), is_done), rows_.uncut.end());
    }
    return {};
  }

 private:
  Rows& rows_;
};

class RevocationKeeperTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = fs::path(::testing::TempDir()) / ("keeper-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    const auto script =
        std::string(OTA_SOURCE_DIR) + "/broker-config/ca.sh '" + (folder_ / "ca").string() + "' init";
    ASSERT_EQ(std::system(script.c_str()), 0);
    authority_ = IssuingAuthority::load((folder_ / "ca/chain.crt").string(),
                                        (folder_ / "ca/issuing.key").string(), 825)
                     .value();
  }
  static void TearDownTestSuite() {
    authority_.reset();
    fs::remove_all(folder_);
  }
  void SetUp() override {
    fs::remove(file());
    fs::remove(canary_file());
  }

  static fs::path file() { return folder_ / "crl.pem"; }
  static fs::path canary_file() { return folder_ / "crl.pem.canary"; }
  static std::string bytes() {
    std::ifstream in(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // The entries on the disk without canaries; one text where the file is broken.
  static std::set<std::string> listed() {
    const auto list = authority_->read_list(bytes());
    if (!list) return {"broken"};
    std::set<std::string> serials;
    for (const auto& entry : list->entries) {
      if (!IssuingAuthority::is_canary(entry.serial)) serials.insert(entry.serial);
    }
    return serials;
  }

  RevocationKeeper::Ports ports() {
    RevocationKeeper::Ports ports;
    ports.store = std::make_unique<FakeRevocations>(rows_);
    ports.authority = authority_.get();
    ports.now = [this] { return now_; };
    ports.reload = [this]() -> fleet::Expected<void> {
      ++reloads_;
      brokers_list_.clear();
      const auto list = authority_->read_list(bytes());
      for (const auto& entry : list->entries) brokers_list_.insert(entry.serial);
      return {};
    };
    ports.probe = [this](const Canary& canary) { return probe_(canary); };
    ports.cut = [this](const std::string& device_id) {
      cut_.push_back(device_id);
      return answer_to_cut_;
    };
    ports.crl_file = file().string();
    return ports;
  }
  void revoke(const std::string& serial, const std::string& device_id) {
    rows_.revoked.push_back({serial, now_});
    std::sort(rows_.revoked.begin(), rows_.revoked.end());
    rows_.uncut.push_back({serial, device_id});
  }

  static fs::path folder_;
  static std::unique_ptr<IssuingAuthority> authority_;
  FakeRevocations::Rows rows_;
  fleet::Time now_ =
      std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  int reloads_ = 0;
  std::vector<std::string> cut_;
  Visit answer_to_cut_ = Visit::welcome;
  std::set<std::string> brokers_list_;
  // A broker that does as the list says that it has read.
  std::function<Visit(const Canary&)> probe_ = [this](const Canary& canary) {
    return brokers_list_.count(canary.serial) == 1 ? Visit::refused : Visit::welcome;
  };
};

fs::path RevocationKeeperTest::folder_;
std::unique_ptr<IssuingAuthority> RevocationKeeperTest::authority_;

TEST_F(RevocationKeeperTest, ARevocationIsListedReloadedAndCut) {
  RevocationKeeper keeper(ports());
  keeper.turn();
  EXPECT_EQ(listed(), std::set<std::string>{});
  revoke("4a", "a");
  keeper.turn();
  EXPECT_EQ(listed(), std::set<std::string>{"4a"});
  EXPECT_EQ(reloads_, 2);
  EXPECT_EQ(cut_, std::vector<std::string>{"a"});
  EXPECT_EQ(keeper.state().problem, "");
  EXPECT_EQ(keeper.state().ends_at, now_ + 90 * 24h);
  const auto before = bytes();
  keeper.turn();
  EXPECT_EQ(bytes(), before) << "nothing is due";
}

// A certificate and an order are two lines of one device; a second cut would hit who has come instead.
TEST_F(RevocationKeeperTest, ADeviceIsCutOnce) {
  RevocationKeeper keeper(ports());
  revoke("4a", "a");
  rows_.uncut.push_back({"", "a", 1});
  rows_.uncut.push_back({"0b", "", 0});  // nobody knows whose
  keeper.turn();
  EXPECT_EQ(cut_, std::vector<std::string>{"a"});
}

TEST_F(RevocationKeeperTest, ACutThatDidNotHappenStaysDue) {
  for (const auto answer : {Visit::unreachable, Visit::refused}) {
    rows_ = {};
    cut_.clear();
    answer_to_cut_ = answer;
    revoke("4a", "a");
    RevocationKeeper keeper(ports());
    keeper.turn();
    EXPECT_EQ(rows_.uncut.size(), 1U) << "the device may still be connected";
    EXPECT_NE(keeper.state().problem.find("end the connection of a,"), std::string::npos);
    answer_to_cut_ = Visit::welcome;
    RevocationKeeper(ports()).turn();
    EXPECT_TRUE(rows_.uncut.empty());
    EXPECT_EQ(cut_, (std::vector<std::string>{"a", "a"}));
  }
}

TEST_F(RevocationKeeperTest, ABrokerThatDoesNotAnswerIsAskedOncePerTurn) {
  answer_to_cut_ = Visit::unreachable;
  for (const char* id : {"a", "b", "c"}) rows_.uncut.push_back({std::string("4") + id, id});
  rows_.uncut.push_back({"4d", ""});
  RevocationKeeper keeper(ports());
  keeper.turn();
  EXPECT_EQ(cut_.size(), 1U) << "each visit takes seconds";
  EXPECT_EQ(rows_.uncut.size(), 3U) << "a mere serial has no connection to end";
}

TEST_F(RevocationKeeperTest, ABrokenFileIsWrittenAnewAndNothingIsLost) {
  revoke("4a", "a");
  RevocationKeeper keeper(ports());
  keeper.turn();
  const auto good = bytes();
  for (const auto& broken : {std::string("garbage"), good.substr(0, good.size() / 2), std::string()}) {
    std::ofstream(file(), std::ios::binary | std::ios::trunc) << broken;
    keeper.turn();
    EXPECT_EQ(listed(), std::set<std::string>{"4a"});
  }
  fs::remove(file());
  keeper.turn();
  EXPECT_EQ(listed(), std::set<std::string>{"4a"});
}

TEST_F(RevocationKeeperTest, AListThatCannotBeWrittenLeavesTheOldOneAndAlarms) {
  RevocationKeeper keeper(ports());
  keeper.turn();
  const auto good = bytes();
  // The name it writes to first is taken by a folder.
  const fs::path blocker = file().string() + "." + std::to_string(::getpid()) + ".new";
  fs::create_directory(blocker);
  revoke("4a", "a");
  keeper.turn();
  EXPECT_EQ(bytes(), good);
  EXPECT_NE(keeper.state().problem.find("cannot write"), std::string::npos) << keeper.state().problem;
  EXPECT_EQ(keeper.state().problem.find(file().filename().string()), std::string::npos) << "/health tells it";
  EXPECT_FALSE(rows_.uncut.empty()) << "it stays due";
  fs::remove(blocker);
}

TEST_F(RevocationKeeperTest, WhatAnotherHandHasListedStaysRevoked) {
  const auto list = authority_->sign_list({{"0a0b", now_ - 1h}}, now_, now_ + 90 * 24h);
  std::ofstream(file()) << *list;
  revoke("4a", "a");
  RevocationKeeper keeper(ports());
  keeper.turn();
  EXPECT_EQ(rows_.adopted, std::vector<std::string>{"0a0b"});
  EXPECT_EQ(listed(), (std::set<std::string>{"0a0b", "4a"}));
}

TEST_F(RevocationKeeperTest, AListIsRenewedWhenHalfItsTimeHasPassed) {
  auto without_probe = ports();
  without_probe.probe = nullptr;
  RevocationKeeper keeper(std::move(without_probe));
  keeper.turn();
  const auto first = keeper.state().ends_at;
  now_ += 46 * 24h;
  std::ofstream(file(), std::ios::app)
      << "\n";  // something changed: it looks at once and not within a minute
  keeper.turn();
  EXPECT_EQ(keeper.state().ends_at, first + 46 * 24h);
}

TEST_F(RevocationKeeperTest, ABrokerThatAcceptsTheRevokedIsAnAlarm) {
  probe_ = [](const Canary&) { return Visit::welcome; };  // its crlfile is another
  revoke("4a", "a");
  RevocationKeeper keeper(ports());
  keeper.turn();
  EXPECT_NE(keeper.state().problem.find("accepts a REVOKED certificate"), std::string::npos);
  EXPECT_EQ(cut_, std::vector<std::string>{"a"}) << "gone for now all the same";
}

TEST_F(RevocationKeeperTest, ABrokerThatKeepsAnEarlierListIsAnAlarm) {
  auto deaf = ports();
  deaf.reload = [reload = deaf.reload, told = 0]() mutable -> fleet::Expected<void> {
    return told++ == 0 ? reload() : fleet::Expected<void>();
  };
  RevocationKeeper keeper(std::move(deaf));
  keeper.turn();
  EXPECT_EQ(keeper.state().problem, "");
  revoke("4a", "a");
  keeper.turn();
  EXPECT_NE(keeper.state().problem.find("accepts a REVOKED certificate"), std::string::npos);
}

TEST_F(RevocationKeeperTest, ABrokerThatHasTheListIsLeftAloneAtTheNextStart) {
  const auto start = [&] {
    RevocationKeeper keeper(ports());
    keeper.turn();
    EXPECT_EQ(keeper.state().problem, "");
  };
  start();
  start();
  EXPECT_EQ(reloads_, 1);
  EXPECT_EQ(fs::status(canary_file()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  revoke("4a", "a");
  start();
  EXPECT_EQ(reloads_, 2) << "a revocation while it was away";
  brokers_list_.clear();
  start();
  EXPECT_EQ(reloads_, 3) << "a bridge that died between the list and the signal";
  std::ofstream(canary_file()) << "garbage";
  start();
  EXPECT_EQ(reloads_, 4) << "a list whose canary is lost is made anew";
}

TEST_F(RevocationKeeperTest, ABrokerThatRefusesTheGoodIsAnAlarm) {
  probe_ = [](const Canary&) { return Visit::refused; };
  RevocationKeeper keeper(ports());
  keeper.turn();
  EXPECT_NE(keeper.state().problem.find("refuses a good certificate"), std::string::npos);
}

TEST_F(RevocationKeeperTest, WithoutTheDatabaseNothingIsWritten) {
  rows_.away = true;
  RevocationKeeper keeper(ports());
  keeper.turn();
  EXPECT_FALSE(fs::exists(file()));
  EXPECT_EQ(keeper.state().problem, kAway.outside);
}

TEST_F(RevocationKeeperTest, TwoKeepersOfOneFileComeToRest) {
  RevocationKeeper first(ports());
  RevocationKeeper second(ports());
  for (int i = 0; i < 4; ++i) {
    first.turn();
    second.turn();
  }
  const auto settled = bytes();
  first.turn();
  second.turn();
  EXPECT_EQ(bytes(), settled);
  EXPECT_EQ(first.state().problem + second.state().problem, "");
}

}  // namespace
}  // namespace ota::bridge
