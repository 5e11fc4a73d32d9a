// Only what its signer vouches for reaches the other slot, whatever the server says.
#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/esp-client/signed_offers.hpp"

namespace ota::device::tests {
namespace {

struct Lie {
  const char* name;
  std::function<void(Words&)> change;
  const char* refusal;
};

class TrustLies : public Trust, public ::testing::WithParamInterface<Lie> {};

TEST_P(TrustLies, AreRefusedBeforeTheDownload) {
  Words words;
  GetParam().change(words);
  EXPECT_EQ(refusal_of(with_manifest(words.manifest(), R"(,"server_time":1800000000)")),
            std::string("offer refused: ") + GetParam().refusal);
}

const Lie kLies[] = {
    {"OtherModel", [](Words& w) { w.model = "esp32c3"; }, "its manifest is for another model"},
    {"OtherVersion", [](Words& w) { w.version = "1.0.9"; }, "its manifest is for another version"},
    {"OtherSize", [](Words& w) { w.size = "19999"; }, "its manifest is for an image of another size"},
    {"OtherImage", [](Words& w) { w.sha256 = fake_sha256_hex("foreign"); },
     "its manifest is for another image"},
    {"UnknownKey", [](Words& w) { w.key = "evil-1"; }, "its manifest is not signed by a key of this device"},
    {"Expired", [](Words& w) { w.expires = "1799999999"; }, "its manifest has expired"},
    {"TooFarAhead", [](Words& w) { w.min_version = "1.0.1"; },
     "its manifest wants a newer version to start from"},
    {"LeadingZero", [](Words& w) { w.sequence = "07"; }, "its manifest is malformed"},
    {"NoModel", [](Words& w) { w.model = ""; }, "its manifest is malformed"},
    {"LineInAValue", [](Words& w) { w.version = "1.1.0\nsequence=9"; }, "its manifest is malformed"},
};
INSTANTIATE_TEST_SUITE_P(Each, TrustLies, ::testing::ValuesIn(kLies),
                         [](const auto& lie) { return std::string(lie.param.name); });

TEST_F(Trust, ASignedImageIsInstalled) {
  install(with_manifest(Words().manifest()));
  EXPECT_EQ(flash_.version, "1.1.0");
}

TEST_F(Trust, AnOfferWithoutAManifestIsRefused) {
  EXPECT_EQ(refusal_of(offer_json(image())), "offer refused: it carries no signed manifest");
}

TEST_F(Trust, WhatRunsAlreadyNeedsNoManifest) {
  FakePlatform device(flash_);
  device.agent().on_connected();
  device.offer(offer_json(image(), "1.0.0"));
  EXPECT_EQ(device.count(Topic::kStatus), 0U);
  device.offer(with_manifest(Words().manifest()));
  EXPECT_TRUE(device.downloading);
}

TEST_F(Trust, ADeviceWithoutKeysTakesIt) {
  FakePlatform::signatures = nullptr;
  EXPECT_EQ(refusal_of(offer_json(image())), "");
}

TEST_F(Trust, EveryChangedByteOfAManifestIsNoticed) {
  const std::string whole = Words().manifest();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    Flash flash;
    FakePlatform device(flash);
    device.agent().on_connected();
    std::string changed = whole;
    changed[at] = changed[at] == '1' ? '2' : '1';
    device.offer(with_manifest(changed));
    EXPECT_FALSE(device.downloading) << "byte " << at;
  }
}

TEST_F(Trust, AnOlderSequenceIsRefusedForGood) {
  install(with_manifest(Words().manifest()));
  Words older;
  older.version = "1.0.5";
  older.sequence = "6";
  EXPECT_EQ(refusal_of(with_manifest(older.manifest(), "", "1.0.5", 300)),
            "offer refused: its manifest is older than the newest one installed here");
}

TEST_F(Trust, ANewerSequenceMayGoBack) {
  install(with_manifest(Words().manifest()));
  Words deliberate;
  deliberate.version = "1.0.5";
  deliberate.sequence = "8";
  EXPECT_EQ(refusal_of(with_manifest(deliberate.manifest(), "", "1.0.5", 300)), "");
}

TEST_F(Trust, ASequenceCountsOnlyOnceItsImageHasProvenItself) {
  Words newest;
  newest.sequence = "9";
  {
    FakePlatform device(flash_);
    device.agent().on_connected();
    device.offer(with_manifest(newest.manifest()));
    device.serve(image());
    device.ack(value_of(device.last(Topic::kStatus), "report_id"));
    ASSERT_TRUE(device.reboot_wanted);
  }
  flash_.version = "1.0.0";  // the boot loader went back
  flash_.active = 1 - flash_.active;
  flash_.on_trial = false;
  flash_.rolled_back = true;
  FakePlatform device(flash_);
  device.agent().on_connected();
  EXPECT_EQ(device.agent().machine().record().sequence, 0U);
}

TEST_F(Trust, ExpiryIsMeasuredByTheImagesOwnAgeToo) {
  Words words;
  words.expires = "1700000000";
  EXPECT_EQ(refusal_of(with_manifest(words.manifest())), "") << "nothing tells that it is later";
  flash_ = Flash();
  FakePlatform::built_at_s = 1'700'000'000;
  EXPECT_EQ(refusal_of(with_manifest(words.manifest())), "offer refused: its manifest has expired");
}

TEST_F(Trust, AServerThatLiesAboutTheTimeCannotMakeLaterManifestsExpire) {
  install(with_manifest(Words().manifest(), R"(,"server_time":99999999999)"));
  Words next;
  next.version = "1.2.0";
  next.sequence = "8";
  next.expires = "1900000000";
  EXPECT_EQ(refusal_of(with_manifest(next.manifest(), R"(,"server_time":1800000000)", "1.2.0", 300)), "");
}

TEST_F(Trust, TheTimeOfAConfirmedManifestIsRemembered) {
  Words first;
  first.expires = "1900000000";
  install(with_manifest(first.manifest(), R"(,"server_time":1800000000)"));
  Words stale;
  stale.version = "1.2.0";
  stale.sequence = "8";
  stale.expires = "1750000000";
  EXPECT_EQ(refusal_of(with_manifest(stale.manifest(), "", "1.2.0", 300)),
            "offer refused: its manifest has expired");
}

TEST_F(Trust, ASlotChangedBehindTheHashIsNotSwitchedTo) {
  FakePlatform device(flash_);
  device.agent().on_connected();
  device.offer(with_manifest(Words().manifest()));
  device.serve(image());
  ASSERT_EQ(device.agent().machine().state(), State::kInstalling);
  flash_.slots[1][100] = static_cast<char>(flash_.slots[1][100] ^ 1);
  device.ack(value_of(device.last(Topic::kStatus), "report_id"));
  EXPECT_FALSE(device.reboot_wanted);
  EXPECT_EQ(flash_.active, 0U);
  EXPECT_EQ(value_of(device.last(Topic::kStatus), "error_message").substr(0, 13), "wrong SHA-256");
}

TEST_F(Trust, AfterAPowerCutTheStoredManifestIsVerifiedAgain) {
  {
    FakePlatform device(flash_);
    device.agent().on_connected();
    device.offer(with_manifest(Words().manifest()));
    device.serve(image());
    ASSERT_EQ(device.agent().machine().state(), State::kInstalling);
  }
  // Whoever can write the record can give it a right checksum.
  Record record;
  ASSERT_TRUE(decode_record(flash_.record, record));
  std::string manifest(record.target.manifest.view());
  manifest.replace(manifest.find("sequence=7"), 10, "sequence=8");
  ASSERT_TRUE(record.target.manifest.assign(manifest));
  char buffer[kRecordBytesMax];
  flash_.record = encode_record(record, buffer, sizeof buffer);
  FakePlatform device(flash_);
  EXPECT_FALSE(device.reboot_wanted);
  EXPECT_EQ(flash_.version, "1.0.0");
}

TEST_F(Trust, AfterAPowerCutBeforeTheSwitchItIsDoneWithTheStoredManifest) {
  {
    FakePlatform device(flash_);
    device.agent().on_connected();
    device.offer(with_manifest(Words().manifest()));
    device.serve(image());
    ASSERT_EQ(device.agent().machine().state(), State::kInstalling);
  }
  FakePlatform device(flash_);
  ASSERT_TRUE(device.reboot_wanted) << "verified anew and switched, without asking anyone";
  EXPECT_EQ(flash_.version, "1.1.0");
}

TEST_F(Trust, KeysThatCameWithARestartHoldForWhatWasDownloadedBefore) {
  FakePlatform::signatures = nullptr;
  {
    FakePlatform device(flash_);
    device.agent().on_connected();
    device.offer(offer_json(image()));
    device.serve(image());
    ASSERT_EQ(device.agent().machine().state(), State::kInstalling);
  }
  FakePlatform::signatures = &key_;
  FakePlatform device(flash_);
  EXPECT_FALSE(device.reboot_wanted);
  EXPECT_EQ(flash_.version, "1.0.0");
}

}  // namespace
}  // namespace ota::device::tests
