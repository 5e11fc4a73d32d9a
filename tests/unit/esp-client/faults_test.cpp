// What goes wrong on the way, a row each.
#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/esp-client/fake_platform.hpp"

namespace ota::device::tests {
namespace {

const std::string& image() {
  static const std::string bytes = image_of(50'000);
  return bytes;
}

ResponseHead head_of(unsigned status) {
  ResponseHead head;
  head.status = status;
  return head;
}

struct Fault {
  const char* name;
  std::function<void(FakePlatform&)> happens;  // once the download of image() has been asked for
  State state;
  const char* reason;  // of the failed report; empty: none is sent
};

class Faults : public ::testing::TestWithParam<Fault> {};

TEST_P(Faults, LeadTo) {
  Flash flash;
  FakePlatform device(flash);
  device.agent().on_connected();
  device.offer(offer_json(image()));
  ASSERT_TRUE(device.downloading);
  GetParam().happens(device);
  EXPECT_EQ(device.agent().machine().state(), GetParam().state);
  const std::string status = device.last(Topic::kStatus);
  EXPECT_EQ(value_of(status, "status") == "failed", *GetParam().reason != '\0') << status;
  if (*GetParam().reason != '\0') {
    EXPECT_EQ(value_of(status, "error_message"), GetParam().reason);
  }
  EXPECT_EQ(flash.version, "1.0.0");
}

void respond(FakePlatform& device, const ResponseHead& head) {
  (void)device.agent().on_response(head);
}

void network_fails(FakePlatform& device, int times) {
  for (int i = 0; i < times; ++i) {
    device.agent().on_download_end("connection reset");
    while (device.agent().machine().state() == State::kWaiting) device.advance_to_deadline();
  }
}

const Fault kFaults[] = {
    {"ConnectionReset", [](FakePlatform& d) { d.agent().on_download_end("connection reset"); },
     State::kWaiting, ""},
    {"ClosedTooEarly",
     [](FakePlatform& d) {
       respond(d, head_of(200));
       d.feed(image().substr(0, 10'000));
       d.agent().on_download_end("");
     },
     State::kWaiting, ""},
    {"NeverAgain", [](FakePlatform& d) { network_fails(d, 21); }, State::kIdle, "gave up: connection reset"},
    {"Busy", [](FakePlatform& d) { respond(d, head_of(503)); }, State::kWaiting, ""},
    {"TooMany", [](FakePlatform& d) { respond(d, head_of(429)); }, State::kWaiting, ""},
    {"ServerError", [](FakePlatform& d) { respond(d, head_of(500)); }, State::kWaiting, ""},
    {"Forbidden", [](FakePlatform& d) { respond(d, head_of(403)); }, State::kWaiting, ""},
    {"NotFoundForGood",
     [](FakePlatform& d) {
       for (int i = 0; i < 4; ++i) {
         respond(d, head_of(404));
         while (d.agent().machine().state() == State::kWaiting) d.advance_to_deadline();
       }
     },
     State::kIdle, "gave up: the server answered 404"},
    {"AmbiguousForGood",
     [](FakePlatform& d) {
       for (int i = 0; i < 4; ++i) {
         respond(d, head_of(409));
         while (d.agent().machine().state() == State::kWaiting) d.advance_to_deadline();
       }
     },
     State::kIdle, "gave up: the server answered 409"},
    {"SmallerThanOffered",
     [](FakePlatform& d) {
       ResponseHead head = head_of(200);
       head.has_length = true;
       head.content_length = 49'999;
       respond(d, head);
     },
     State::kIdle, "the server's image has 49999 bytes, the offer said 50000"},
    {"LargerThanOffered",
     [](FakePlatform& d) {
       respond(d, head_of(200));
       d.feed(image() + "x");
     },
     State::kIdle, "the server sent more bytes than the offer said"},
    {"AnotherChecksumInTheHeader",
     [](FakePlatform& d) {
       ResponseHead head = head_of(200);
       head.checksum_sha256 = "0000";
       respond(d, head);
     },
     State::kIdle, "the server's image has another SHA-256 than the offer said"},
    {"AnotherImage",
     [](FakePlatform& d) {
       std::string other = image();
       other.back() = '!';
       d.serve(other);
     },
     State::kIdle, nullptr},
    {"OneByteASecond",
     [](FakePlatform& d) {
       respond(d, head_of(200));
       for (int second = 0; second < 31 && d.agent().machine().state() == State::kLoading; ++second) {
         d.feed("x");
         d.advance(1000);
       }
     },
     State::kWaiting, ""},
    {"FlashWornOut",
     [](FakePlatform& d) {
       d.write_works = false;
       d.serve(image());
     },
     State::kIdle, "the slot cannot be written"},
    {"FlashThatCannotBeErased",
     [](FakePlatform& d) {
       d.open_works = false;
       respond(d, head_of(200));
     },
     State::kIdle, "the slot cannot be erased"},
    {"SlotSwitchFails",
     [](FakePlatform& d) {
       d.activate_works = false;
       d.serve(image());
       d.ack(value_of(d.last(Topic::kStatus), "report_id"));
     },
     State::kIdle, "the boot slot cannot be switched"},
};

Fault with_reason(Fault fault) {
  static const std::string kWrongHash = [] {
    std::string other = image();
    other.back() = '!';
    return "wrong SHA-256: the image has " + fake_sha256_hex(other).substr(0, 16) + "..., the offer said " +
           fake_sha256_hex(image()).substr(0, 16) + "...";
  }();
  if (fault.reason == nullptr) fault.reason = kWrongHash.c_str();
  return fault;
}

std::vector<Fault> all_faults() {
  std::vector<Fault> faults;
  for (const Fault& fault : kFaults) faults.push_back(with_reason(fault));
  return faults;
}

INSTANTIATE_TEST_SUITE_P(Table, Faults, ::testing::ValuesIn(all_faults()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(FaultDetails, BusyWaitsAtLeastAsLongAsAsked) {
  Flash flash;
  FakePlatform device(flash);
  device.agent().on_connected();
  device.offer(offer_json(image()));
  ResponseHead head = head_of(503);
  head.retry_after_s = 7;
  const std::uint64_t from_ms = device.now_ms();
  respond(device, head);
  device.downloading = false;
  while (!device.downloading) ASSERT_TRUE(device.advance_to_deadline());
  EXPECT_GE(device.now_ms() - from_ms, 7000U);
  EXPECT_LE(device.now_ms() - from_ms, 12'000U);
}

TEST(FaultDetails, AServerThatIsBusyOrAwayCostsNoErasureAndNoStoredRecord) {
  Flash flash;
  flash.slots[1] = "the image before";
  FakePlatform device(flash);
  device.agent().on_connected();
  device.offer(offer_json(image()));
  const unsigned saves = device.saves;
  for (int tries = 0; tries < 5; ++tries) {
    respond(device, head_of(503));
    while (device.agent().machine().state() == State::kWaiting) device.advance_to_deadline();
    network_fails(device, 1);
  }
  EXPECT_EQ(device.erasures, 0U);
  EXPECT_EQ(device.saves, saves);
  EXPECT_EQ(flash.slots[1], "the image before");
  device.serve(image());
  EXPECT_EQ(device.erasures, 1U);
  EXPECT_EQ(device.agent().machine().state(), State::kInstalling);
}

TEST(FaultDetails, WhatATryHasBroughtIsStoredBeforeTheNext) {
  Flash flash;
  FakePlatform device(flash);
  device.agent().on_connected();
  device.offer(offer_json(image()));
  respond(device, head_of(200));
  device.feed(image().substr(0, 3'000));
  const unsigned saves = device.saves;
  device.agent().on_download_end("connection reset");
  EXPECT_EQ(device.saves, saves + 1);
  Record record;
  ASSERT_TRUE(decode_record(flash.record, record));
  EXPECT_EQ(record.offset_bytes, 3'000U);
}

TEST(FaultDetails, ARefusedUrlIsAskedForAnewAndTheFreshOneIsUsed) {
  Flash flash;
  FakePlatform device(flash);
  device.agent().on_connected();
  device.offer(offer_json(image()));
  const std::size_t checks = device.count(Topic::kCheck);
  respond(device, head_of(403));
  EXPECT_EQ(device.count(Topic::kCheck), checks + 1);
  std::string fresh = offer_json(image());
  fresh.replace(fresh.find("/api/firmware"), 4, "/new");
  device.offer(fresh);
  EXPECT_TRUE(device.downloading);
  EXPECT_EQ(device.download_url.substr(0, 5), "/new/");
}

std::string offer_with_url(const std::string& url) {
  std::string offer = offer_json(image());
  const std::string old = "/api/firmware/download/1.1.0";
  return offer.replace(offer.find(old), old.size(), url);
}

TEST(FaultDetails, AUrlMayExpireAsOftenAsTheImageGrows) {
  Flash flash;
  FakePlatform device(flash);
  device.agent().on_connected();
  device.offer(offer_with_url("/u?ticket=0"));
  respond(device, head_of(200));
  constexpr std::size_t kPieces = 10;  // each more than a twentieth of the image
  const std::size_t piece_bytes = image().size() / kPieces;
  for (std::size_t i = 0; i < kPieces; ++i) {
    device.feed(image().substr(i * piece_bytes, piece_bytes));
    if (i + 1 == kPieces) break;
    device.agent().on_download_end("connection reset");
    device.advance_to_deadline();
    respond(device, head_of(403));
    const std::string url = "/u?ticket=" + std::to_string(i + 1);
    device.offer(offer_with_url(url));
    ASSERT_TRUE(device.downloading) << i;
    ASSERT_EQ(device.download_url, url);
    ResponseHead head = head_of(206);
    const std::string range = "bytes " + std::to_string(device.download_offset) + "-49999/50000";
    head.content_range = range;
    respond(device, head);
  }
  device.agent().on_download_end("");
  EXPECT_EQ(device.agent().machine().state(), State::kInstalling);
}

TEST(FaultDetails, AServerThatRefusesEveryFreshUrlIsGivenUp) {
  Flash flash;
  FakePlatform device(flash);
  device.agent().on_connected();
  device.offer(offer_with_url("/u?ticket=0"));
  for (int i = 1; i < 10 && device.downloading; ++i) {
    respond(device, head_of(403));
    device.downloading = false;
    device.offer(offer_with_url("/u?ticket=" + std::to_string(i)));
  }
  EXPECT_NE(device.last(Topic::kStatus).find("gave up: the server answered 403"), std::string::npos);
}

TEST(FaultDetails, AFreshUrlIsNoReasonToBeginBeforeItsTurn) {
  Flash flash;
  FakePlatform device(flash);
  device.agent().on_connected();
  device.offer(offer_json(image(), "1.1.0", 257, R"(,"start_within_seconds":3600)"));
  ASSERT_EQ(device.agent().machine().state(), State::kWaiting);
  device.offer(offer_with_url("/fresh"));
  EXPECT_FALSE(device.downloading);
  while (!device.downloading) ASSERT_TRUE(device.advance_to_deadline());
  EXPECT_EQ(device.download_url, "/fresh");
}

TEST(FaultDetails, AServerThatIgnoresTheRangeIsReadFromItsStart) {
  Flash flash;
  FakePlatform device(flash);
  device.agent().on_connected();
  device.offer(offer_json(image()));
  respond(device, head_of(200));
  device.feed(image().substr(0, 20'000));
  device.agent().on_download_end("connection reset");
  device.advance_to_deadline();
  ASSERT_EQ(device.download_offset, 20'000U);
  respond(device, head_of(200));
  device.feed(image());
  device.agent().on_download_end("");
  EXPECT_EQ(device.agent().machine().state(), State::kInstalling);
}

TEST(FaultDetails, APartThatDoesNotFitIsLoadedFromTheStart) {
  for (const unsigned status : {206U, 416U}) {
    Flash flash;
    FakePlatform device(flash);
    device.agent().on_connected();
    device.offer(offer_json(image()));
    respond(device, head_of(200));
    device.feed(image().substr(0, 20'000));
    device.agent().on_download_end("connection reset");
    device.advance_to_deadline();
    ASSERT_EQ(device.download_offset, 20'000U);
    ResponseHead head = head_of(status);
    head.content_range = "bytes 0-100/50000";
    respond(device, head);
    device.advance_to_deadline();
    EXPECT_EQ(device.download_offset, 0U) << status;
    device.serve(image());
    EXPECT_EQ(device.agent().machine().state(), State::kInstalling);
  }
}

TEST(FaultDetails, AnImageTooLargeForTheSlotIsRefusedAndNotLoaded) {
  Flash flash;
  FakePlatform device(flash);
  device.agent().on_connected();
  device.offer(offer_json(image_of(FakePlatform::kSlotBytes + 1)));
  EXPECT_FALSE(device.downloading);
  EXPECT_EQ(value_of(device.last(Topic::kStatus), "error_message"),
            "the image of 100001 bytes does not fit into the slot of 100000");
}

TEST(FaultDetails, AnOfferThatCannotBeReadIsRefusedWithTheReason) {
  Flash flash;
  FakePlatform device(flash);
  device.agent().on_connected();
  std::string bad = offer_json(image());
  bad.replace(bad.find(fake_sha256_hex(image())), 64, "not a hash");
  device.offer(bad);
  device.offer(bad);
  EXPECT_EQ(device.count(Topic::kStatus), 1U) << "said once, not in a loop";
  EXPECT_EQ(value_of(device.last(Topic::kStatus), "error_message"),
            "offer refused: checksum_sha256 is not 64 hex digits");
}

TEST(FaultDetails, FullStorageDoesNotStopTheUpdate) {
  Flash flash;
  FakePlatform device(flash);
  device.agent().on_connected();
  device.save_works = false;
  device.offer(offer_json(image()));
  device.serve(image());
  device.ack(value_of(device.last(Topic::kStatus), "report_id"));
  EXPECT_EQ(flash.version, "1.1.0");
  EXPECT_FALSE(device.problems.empty());
}

}  // namespace
}  // namespace ota::device::tests
