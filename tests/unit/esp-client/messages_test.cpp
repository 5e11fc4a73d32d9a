#include "esp-client/core/messages.hpp"

#include <gtest/gtest.h>

#include <string>

#include "esp-client/core/record_codec.hpp"
#include "tests/support/golden.hpp"

namespace ota::device {
namespace {

using ota::tests::golden;

Identity example_identity() {
  Identity identity;
  identity.device_id.append_cut("esp32_001");
  identity.model.append_cut("esp32");
  return identity;
}

TEST(Messages, WhatTheDeviceWritesIsTheGoldenExample) {
  const Identity identity = example_identity();
  char buffer[kMessageBytesMax];
  EXPECT_EQ(encode_check(identity, "1.0.0", "12-00000000000000b7", buffer, sizeof buffer),
            golden("check.json"));
  EXPECT_EQ(encode_online(identity, "1.0.0", buffer, sizeof buffer), golden("presence_online.json"));
  Report report{"257", "1.1.0", Status::kDownloading, 40, "", "b7-3"};
  EXPECT_EQ(encode_status(identity, report, buffer, sizeof buffer), golden("status_downloading.json"));
  report = {"257", "1.1.0", Status::kSuccess, 100, "", "b7-9"};
  EXPECT_EQ(encode_status(identity, report, buffer, sizeof buffer), golden("status_success.json"));
  report = {"257", "1.1.0", Status::kFailed, 0, "the server answered 404", "b7-10"};
  EXPECT_EQ(encode_status(identity, report, buffer, sizeof buffer), golden("status_failed.json"));
}

TEST(Messages, WhatTheBridgeWritesIsUnderstood) {
  const Answer offer = decode_answer(golden("offer.json"));
  ASSERT_EQ(offer.kind, AnswerKind::kOffer) << offer.problem;
  EXPECT_EQ(offer.offer.version.view(), "1.1.0");
  EXPECT_EQ(offer.offer.url.view(), "https://ota.example/api/firmware/download/1.1.0");
  EXPECT_EQ(offer.offer.size_bytes, 524288U);
  EXPECT_EQ(offer.offer.attempt_id.view(), "257");
  EXPECT_EQ(decode_answer(golden("no_update.json")).kind, AnswerKind::kNoUpdate);
  const Answer withdrawn = decode_answer(golden("withdrawn.json"));
  EXPECT_EQ(withdrawn.kind, AnswerKind::kWithdrawn);
  EXPECT_EQ(withdrawn.attempt_id.view(), "257");
  Ack ack;
  ASSERT_TRUE(decode_ack(golden("ack.json"), ack));
  EXPECT_EQ(ack.report_id.view(), "b7-3");
  EXPECT_TRUE(ack.recorded);
  ASSERT_TRUE(decode_ack(golden("ack_refused.json"), ack));
  EXPECT_FALSE(ack.recorded);
}

TEST(Messages, TheLongestReportFits) {
  Identity identity;
  identity.device_id.append_cut(std::string(64, 'd'));
  const std::string version(64, '1');
  const std::string attempt = "\"" + std::string(64, 'a') + "\"";
  const Reason reason = plain_reason(std::string(500, '"'));
  char buffer[kMessageBytesMax];
  const Report report{attempt, version,       Status::kDownloading,
                      100,     reason.view(), std::string_view(version).substr(0, 40)};
  EXPECT_FALSE(encode_status(identity, report, buffer, sizeof buffer).empty());
}

TEST(Messages, AttemptIdsComeBackAsTheyCame) {
  const std::string start = R"({"update_available":false,"reason":"withdrawn","attempt_id":)";
  EXPECT_EQ(decode_answer(start + "12}").attempt_id.view(), "12");
  EXPECT_EQ(decode_answer(start + "\"a-1\"}").attempt_id.view(), "\"a-1\"");
  EXPECT_EQ(decode_answer(start + "null}").kind, AnswerKind::kNoUpdate);
  for (const char* bad :
       {"-1", "1.5", "1e3", "\"\"", "\"a b\"", "\"\\u0061\"", "[1]", "true", "\"a\\\"b\""}) {
    EXPECT_EQ(decode_answer(start + bad + "}").kind, AnswerKind::kBad) << bad;
  }
}

std::string offer_with(const std::string& key, const std::string& value) {
  std::string text = golden("offer.json");
  const std::size_t at = text.find("\"" + key + "\":") + key.size() + 3;
  const std::size_t end = text[at] == '"' ? text.find('"', at + 1) + 1 : text.find_first_of(",}", at);
  return text.replace(at, end - at, value);
}

TEST(Messages, AnOfferNobodyCouldFollowIsRefusedWithTheField) {
  const std::pair<const char*, const char*> rows[] = {
      {"update_available", "\"true\""},
      {"update_available", "1"},
      {"latest_version", "null"},
      {"latest_version", "\"..\""},
      {"latest_version", "\"a/b\""},
      {"latest_version", "\"\""},
      {"download_url", "\"ftp://x\""},
      {"download_url", "\"//evil\""},
      {"download_url", "\"x\""},
      {"download_url", "\"/a b\""},
      {"download_url", "\"/a\\n\""},
      {"file_size", "0"},
      {"file_size", "-1"},
      {"file_size", "\"5\""},
      {"file_size", "1e400"},
      {"file_size", "99999999999999999999"},
      {"checksum_sha256", "\"00\""},
      {"checksum_sha256", "null"},
  };
  for (const auto& [key, value] : rows) {
    const Answer answer = decode_answer(offer_with(key, value));
    EXPECT_EQ(answer.kind, AnswerKind::kBad) << key << " " << value;
    EXPECT_NE(std::string(answer.problem).find(key), std::string::npos) << answer.problem;
  }
}

TEST(Messages, IdsFollowTheGrammar) {
  EXPECT_TRUE(is_id("ESP32-AABBCCDD.x_1:2"));
  EXPECT_TRUE(is_version("1.2.3-rc.1+build"));
  for (const char* bad : {"", ".", "..", "a/b", "a+b", "#", "$x", "a b", "\xc3\xa9"})
    EXPECT_FALSE(is_id(bad)) << bad;
  EXPECT_FALSE(is_id(std::string(65, 'a')));
}

Record full_record() {
  Record record;
  record.boot_count = 4'294'967'295U;
  record.phase = Phase::kInstalling;
  const auto fill = [](auto& text, std::size_t length) { (void)text.assign(std::string(length, '7')); };
  fill(record.target.attempt_id, 20);
  fill(record.target.version, 64);
  fill(record.target.sha256, 64);
  (void)record.target.url.assign("/" + std::string(kUrlBytesMax - 1, 'u'));
  record.target.size_bytes = UINT64_MAX;
  (void)record.target.manifest.assign(std::string(kManifestBytesMax - 2, 'm') + "\n\n");
  record.target.sequence = UINT64_MAX;
  record.target.server_time_s = UINT64_MAX;
  record.sequence = UINT64_MAX;
  record.time_s = UINT64_MAX;
  record.offset_bytes = UINT64_MAX;
  record.install_tries = 3;
  record.result_count = kResultsMax;
  for (Result& result : record.results) {
    (void)result.attempt_id.assign("\"" + std::string(64, 'a') + "\"");
    fill(result.version, 64);
    result.status = Status::kRolledBack;
    fill(result.report_id, 40);
    fill(result.reason, kReasonBytesMax);
  }
  return record;
}

TEST(RecordCodec, TheFullestRecordFitsAndComesBack) {
  char buffer[kRecordBytesMax];
  char again[kRecordBytesMax];
  const std::string_view text = encode_record(full_record(), buffer, sizeof buffer);
  ASSERT_FALSE(text.empty());
  Record record;
  ASSERT_TRUE(decode_record(text, record));
  EXPECT_EQ(encode_record(record, again, sizeof again), text);
  EXPECT_EQ(record.target.manifest, full_record().target.manifest);
}

TEST(RecordCodec, AnyDamageIsNoticed) {
  char buffer[kRecordBytesMax];
  const std::string text(encode_record(full_record(), buffer, sizeof buffer));
  Record record;
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string damaged = text;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_FALSE(decode_record(damaged, record)) << at;
    EXPECT_FALSE(decode_record(text.substr(0, at), record)) << at;
  }
  EXPECT_FALSE(decode_record("record_format=2\n", record));
}

}  // namespace
}  // namespace ota::device
