// What an uploaded file is, and whether it may become a release.
#include <nlohmann/json.hpp>

#include "tests/support/esp_images.hpp"
#include "tests/unit/http/server_fixture.hpp"

namespace ota::tests {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class ImageUpload : public ServerTest {
 protected:
  Reply send(const std::string& image, const std::string& model = "esp32", const std::string& more = {}) {
    return upload("version=1.1.0&device_model=" + model + more, multipart({{"file", image}}));
  }
  std::size_t images() const {
    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator(folder_)) files += entry.is_regular_file() ? 1 : 0;
    return files;
  }
};

TEST_F(ImageUpload, SaysWhatItFoundAndKeepsItWithTheRelease) {
  const auto answer = send(with_secure_boot(esp32_image(), 2));
  ASSERT_EQ(answer.status, 200) << answer.body;
  const auto expected = Json::parse(
      R"({"chip":"esp32","entry":"0x40081234","format":"esp32","hash_appended":true,"project":"demo","secure_boot":{"scheme":"rsa","signatures":2},)"
      R"("secure_version":0,"segments":4,"version":"1.1.0"})");
  EXPECT_EQ(Json::parse(answer.body)["image"], expected);
  EXPECT_EQ(Json::parse(releases_.last.image_json), expected);
  const auto listed = Json::parse(get_as_admin("/api/admin/firmware/releases").body)["releases"][0];
  EXPECT_EQ(listed["image"], expected);
  EXPECT_TRUE(listed["forced"].is_null());
}

TEST_F(ImageUpload, WrongImagesAreRefusedWithTheReasonAndLeaveNothing) {
  ImageShape c3;
  c3.chip_id = 5;
  ImageShape older;
  older.version = "1.0.0";
  const std::pair<std::string, const char*> wrong[] = {
      {esp32_image(c3), "the image is for esp32c3"},   {esp8266_image(), "the image is for esp8266"},
      {esp32_image().substr(0, 900), "truncated"},     {bootloader_image(), "boot loader"},
      {merged_image(esp32_image(), 0x1000), "merged"}, {"\x1F\x8B\x08 gzip", "unpacked"},
      {esp32_image(older), "version 1.0.0, not 1.1.0"}};
  for (const auto& [image, reason] : wrong) {
    const auto answer = send(image);
    EXPECT_EQ(answer.status, 422) << reason;
    EXPECT_NE(answer.body.find(reason), std::string::npos) << answer.body;
    EXPECT_NE(answer.body.find("force=true"), std::string::npos) << answer.body;
  }
  EXPECT_TRUE(releases_.rows.empty());
  EXPECT_EQ(images(), 0U);
}

TEST_F(ImageUpload, ForceOverridesEveryObjectionAndIsRecorded) {
  const auto answer = send(bootloader_image(), "esp32", "&force=true");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_NE(Json::parse(answer.body)["forced"].get<std::string>().find("boot loader"), std::string::npos);
  EXPECT_NE(releases_.last.forced.find("boot loader"), std::string::npos);
  EXPECT_FALSE(
      Json::parse(get_as_admin("/api/admin/firmware/releases").body)["releases"][0]["forced"].is_null());
  EXPECT_EQ(send("x", "esp32", "&force=maybe").status, 422);
}

TEST_F(ImageUpload, ForceWithoutAnObjectionRecordsNone) {
  EXPECT_FALSE(Json::parse(send(esp32_image(), "esp32", "&force=true").body).contains("forced"));
}

TEST_F(ImageUpload, BytesThatAreStoredAlreadyChangeNothingWhateverTheyAre) {
  ASSERT_EQ(send(bootloader_image(), "esp32", "&force=true").status, 200);
  EXPECT_EQ(send(bootloader_image()).status, 200);
  EXPECT_EQ(send(bootloader_image(), "esp32s3").status, 422) << "another model's";
  EXPECT_EQ(images(), 1U) << "the refused one shares its bytes with the stored one, which stays";
  EXPECT_EQ(get("/api/firmware/download/1.1.0").body, bootloader_image());
}

TEST_F(ImageUpload, UnknownFormatsAreTakenAndRecordedUntilAChipIsConfigured) {
  const auto answer = send("random bytes");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(Json::parse(answer.body)["image"], Json::parse(R"({"format":"unknown"})"));
}

TEST_F(ImageUpload, AModelWithAChipTakesImagesOfItsChipAlone) {
  options_.images.model_chips = {{"kitchen", "esp32c3"}};
  EXPECT_EQ(send("random bytes", "kitchen").status, 422);
  EXPECT_EQ(send(esp32_image(), "kitchen").status, 422);
  ImageShape c3;
  c3.chip_id = 5;
  EXPECT_EQ(send(esp32_image(c3), "kitchen").status, 200);
  EXPECT_EQ(send("random bytes", "other").status, 200);
}

TEST_F(ImageUpload, StrictDemandsAKnownFormatOfEveryModel) {
  options_.images.strict = true;
  EXPECT_EQ(send("random bytes", "other").status, 422);
  EXPECT_EQ(send(esp32_image(), "other").status, 200);
}

}  // namespace
}  // namespace ota::tests
