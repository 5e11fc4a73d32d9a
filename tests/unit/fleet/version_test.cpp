#include "fleet/version.hpp"

#include <gtest/gtest.h>

namespace ota::fleet {
namespace {

TEST(Version, OrdersBySemVerPrecedenceWithGitDescribeBetween) {
  // Each is older than the next: SemVer 2.0.0 section 11's own chain, and contract section 2's describe rule.
  const char* chain[] = {"1.0.0-alpha",
                         "1.0.0-alpha.1",
                         "1.0.0-alpha.beta",
                         "1.0.0-beta",
                         "1.0.0-beta.2",
                         "1.0.0-beta.11",
                         "1.0.0-rc.1",
                         "1.0.0-rc.1-4-gdeadbee",
                         "1.0.0",
                         "1.0.0-3-gabcdef0",
                         "1.0.0-12-gabcdef0",
                         "v1.0.1",
                         "1.2",
                         "1.10.0",
                         "2",
                         "99999999999999999999999.0.0"};
  for (std::size_t i = 0; i < std::size(chain); ++i) {
    for (std::size_t j = 0; j < std::size(chain); ++j) {
      const auto expected = i < j ? Order::older : i == j ? Order::same : Order::newer;
      EXPECT_EQ(compare_versions(chain[i], chain[j]), expected) << chain[i] << " to " << chain[j];
    }
  }
}

TEST(Version, ToleratesLeadingVAndMissingParts) {
  EXPECT_EQ(compare_versions("v1.2", "1.2.0"), Order::same);
  EXPECT_EQ(compare_versions("1", "v1.0.0"), Order::same);
}

TEST(Version, IgnoresBuildMetadata) {
  EXPECT_EQ(compare_versions("1.0.0+a", "1.0.0+b.2"), Order::same);
}

TEST(Version, KnowsWhatIsNotSemantic) {
  for (const char* text : {"", "v", "latest", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-01", "1..2", "1.2.x",
                           "1.0.0+", "nightly-2024"}) {
    EXPECT_FALSE(SemVer::parse(text)) << text;
  }
  EXPECT_EQ(compare_versions("latest", "1.0.0"), Order::unknown);
  EXPECT_EQ(compare_versions("latest", "latest"), Order::same);
}

}  // namespace
}  // namespace ota::fleet
