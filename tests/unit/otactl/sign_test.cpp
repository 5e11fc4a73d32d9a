// Manifests by otactl and by the documented openssl commands, verified as the server does it.
#include "bridge/manifest_keys.hpp"
#include "tests/unit/otactl/otactl_fixture.hpp"

namespace ota::otactl {
namespace {

class Sign : public Otactl {
 protected:
  void make_key(const std::string& options) {
    const auto made = shell("mkdir -p keys; openssl genpkey -out prod-1.key " + options +
                            " 2>/dev/null && openssl pkey -in prod-1.key -pubout -out keys/prod-1.pem");
    ASSERT_EQ(made.exit_status, 0) << made.output;
    write("app.bin", "image");
  }
  Result sign(const std::string& more = "--sequence 7") {
    return shell(
        "\"$0\" sign app.bin --key prod-1.key --key-id prod-1 --model esp32 --version 1.1.0 -o "
        "app.manifest " +
        more);
  }
  // Empty: verified.
  std::string verify() {
    const auto manifest = fleet::parse_manifest(read("app.manifest"));
    if (!manifest) return manifest.error().message;
    const auto keys = bridge::ManifestKeys::load(path("keys"));
    if (!keys) return keys.error().message;
    const auto verified = (*keys)->verify(*manifest);
    return verified ? "" : verified.error().message;
  }
  // The blocks of docs/manifest.md that sign by openssl alone: the first for EC keys, the second for RSA.
  static std::vector<std::string> documented() {
    std::ifstream file(std::string(OTA_SOURCE_DIR) + "/docs/manifest.md");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    std::vector<std::string> blocks;
    for (auto at = text.find("```\n(cat signed"); at != std::string::npos;
         at = text.find("```\n(cat signed", at + 4)) {
      blocks.push_back(text.substr(at + 4, text.find("```", at + 4) - at - 4));
    }
    return blocks;
  }
  // Signed anew by a documented command.
  std::string verify_documented(std::size_t which) {
    const auto blocks = documented();
    EXPECT_EQ(blocks.size(), 2U);
    const auto text = read("app.manifest");
    write("signed", text.substr(0, text.find("signature=")));
    const auto done = shell("rm app.manifest; " + blocks.at(which));
    EXPECT_EQ(done.exit_status, 0) << done.output;
    return verify();
  }
};

TEST_F(Sign, ByEcdsaIsVerifiedHereAndAsDocumented) {
  make_key("-algorithm EC -pkeyopt ec_paramgen_curve:P-256");
  EXPECT_EQ(sign().exit_status, 0);
  EXPECT_EQ(verify(), "");
  EXPECT_EQ(verify_documented(0), "");
}

TEST_F(Sign, ByRsaIsVerifiedHereAndAsDocumented) {
  make_key("-algorithm RSA -pkeyopt rsa_keygen_bits:3072");
  EXPECT_EQ(sign().exit_status, 0);
  EXPECT_EQ(verify(), "");
  EXPECT_EQ(verify_documented(1), "");
}

TEST_F(Sign, ByAKeyOfTheTypeRsaPssIsRefusedWithTheWayOut) {
  make_key("-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:3072");
  expect_failed(
      sign(),
      "is a key of the type RSA-PSS, which servers and devices cannot read; make one of the type RSA");
  const auto loaded = bridge::ManifestKeys::load(path("keys"));
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().message.find("of the type RSA (not RSA-PSS)"), std::string::npos)
      << loaded.error().message;
}

TEST_F(Sign, NamesTheRangeOfSequences) {
  make_key("-algorithm EC -pkeyopt ec_paramgen_curve:P-256");
  for (const char* wrong : {"0", "-1", "007", "1.5", "1000000000000000000", "99999999999999999999", "x"}) {
    const auto refused = sign(std::string("--sequence=") + wrong);
    EXPECT_EQ(refused.exit_status, 2) << wrong;
    EXPECT_NE(refused.output.find("must be a whole number from 1 to 999999999999999999"), std::string::npos)
        << refused.output;
  }
  EXPECT_EQ(sign("--sequence 999999999999999999").exit_status, 0);
  EXPECT_EQ(verify(), "");
}

}  // namespace
}  // namespace ota::otactl
