#include "esp-client/core/download_rules.hpp"

#include <gtest/gtest.h>

#include <string>

namespace ota::device {
namespace {

using Kind = Verdict::Kind;

struct Row {
  const char* name;
  unsigned status;
  long long length;  // negative: no Content-Length
  const char* range;
  std::uint64_t offset;
  Kind kind;
  FailureKind failure;
};

class DownloadRules : public ::testing::TestWithParam<Row> {};

TEST_P(DownloadRules, Judge) {
  const Row& row = GetParam();
  Offer target;
  (void)target.sha256.assign(std::string(64, 'a'));
  target.size_bytes = 500;
  ResponseHead head;
  head.status = row.status;
  head.has_length = row.length >= 0;
  head.content_length = row.length >= 0 ? static_cast<std::uint64_t>(row.length) : 0;
  head.content_range = row.range;
  const Verdict verdict = judge_response(head, target, row.offset);
  EXPECT_EQ(verdict.kind, row.kind);
  if (row.kind != Kind::kFail) return;
  EXPECT_EQ(verdict.failure.kind, row.failure);
  EXPECT_FALSE(verdict.failure.reason.empty());
}

constexpr FailureKind kNone = FailureKind::kNetwork;

INSTANTIATE_TEST_SUITE_P(
    Table, DownloadRules,
    ::testing::Values(
        Row{"Whole", 200, 500, "", 0, Kind::kContinue, kNone},
        Row{"WholeWithoutLength", 200, -1, "", 0, Kind::kContinue, kNone},
        Row{"WholeInsteadOfPart", 200, 500, "", 100, Kind::kRestart, kNone},
        Row{"WholeTooShort", 200, 499, "", 0, Kind::kFail, FailureKind::kWrongImage},
        Row{"WholeTooLong", 200, 501, "", 0, Kind::kFail, FailureKind::kWrongImage},
        Row{"Part", 206, 400, "bytes 100-499/500", 100, Kind::kContinue, kNone},
        Row{"PartFromElsewhere", 206, 400, "bytes 99-499/500", 100, Kind::kFail, FailureKind::kRangeLost},
        Row{"PartOfAnotherSize", 206, 400, "bytes 100-599/600", 100, Kind::kFail, FailureKind::kWrongImage},
        Row{"PartWithoutRange", 206, 400, "", 100, Kind::kFail, FailureKind::kRangeLost},
        Row{"PartOfUnknownSize", 206, 400, "bytes 100-499/*", 100, Kind::kFail, FailureKind::kRangeLost},
        Row{"PartBackwards", 206, 400, "bytes 100-50/500", 100, Kind::kFail, FailureKind::kRangeLost},
        Row{"PartBehindTheEnd", 206, 400, "bytes 100-500/500", 100, Kind::kFail, FailureKind::kRangeLost},
        Row{"PartInRows", 206, 400, "rows 100-499/500", 100, Kind::kFail, FailureKind::kRangeLost},
        Row{"PartHuge", 206, 400, "bytes 99999999999999999999-1/2", 100, Kind::kFail,
            FailureKind::kRangeLost},
        Row{"Unsatisfiable", 416, 0, "bytes */500", 100, Kind::kFail, FailureKind::kRangeLost},
        Row{"UnsatisfiableFromTheStart", 416, 0, "", 0, Kind::kFail, FailureKind::kRefused},
        Row{"Busy", 503, 0, "", 0, Kind::kFail, FailureKind::kBusy},
        Row{"TooMany", 429, 0, "", 0, Kind::kFail, FailureKind::kBusy},
        Row{"BadGateway", 502, 0, "", 0, Kind::kFail, FailureKind::kNetwork},
        Row{"Timeout", 408, 0, "", 0, Kind::kFail, FailureKind::kNetwork},
        Row{"Forbidden", 403, 0, "", 0, Kind::kFail, FailureKind::kRefused},
        Row{"NotFound", 404, 0, "", 0, Kind::kFail, FailureKind::kRefused},
        Row{"Conflict", 409, 0, "", 0, Kind::kFail, FailureKind::kRefused},
        Row{"Redirect", 302, 0, "", 0, Kind::kFail, FailureKind::kRefused},
        Row{"NoContent", 204, 0, "", 0, Kind::kFail, FailureKind::kRefused}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(DownloadRules, TheChecksumHeaderMayBeInCapitals) {
  Offer target;
  (void)target.sha256.assign(std::string(64, 'a'));
  target.size_bytes = 500;
  ResponseHead head;
  head.status = 200;
  const std::string capitals(64, 'A');
  head.checksum_sha256 = capitals;
  EXPECT_EQ(judge_response(head, target, 0).kind, Kind::kContinue);
  head.checksum_sha256 = std::string_view(capitals).substr(1);
  EXPECT_EQ(judge_response(head, target, 0).failure.kind, FailureKind::kWrongImage);
}

}  // namespace
}  // namespace ota::device
