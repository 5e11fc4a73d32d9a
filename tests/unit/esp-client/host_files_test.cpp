#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "esp-client/host/file_slots.hpp"
#include "esp-client/host/nvs_file.hpp"
#include "esp-client/host/sha256.hpp"

namespace ota::device::host {
namespace {

class HostFiles : public ::testing::Test {
 protected:
  HostFiles() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ota-device-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~HostFiles() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string text_of(const std::string& name) const {
    std::ifstream file(folder_ + "/" + name, std::ios::binary);
    std::ostringstream all;
    all << file.rdbuf();
    return all.str();
  }
  static bool write(FileSlots& slots, const std::string& bytes) {
    return slots.write(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  }
  static Version version(const std::string& text) {
    Version v;
    v.append_cut(text);
    return v;
  }

  std::string folder_;
};

TEST_F(HostFiles, Sha256IsSha256) {
  std::ofstream(folder_ + "/abc") << "abcdef";
  Digest digest{};
  ASSERT_TRUE(sha256_of_file(folder_ + "/abc", 3, digest));
  EXPECT_EQ(digest[0], 0xba);
  EXPECT_EQ(digest[31], 0xad);
  EXPECT_FALSE(sha256_of_file(folder_ + "/abc", 7, digest)) << "shorter than asked for";
  EXPECT_FALSE(sha256_of_file(folder_ + "/none", 0, digest));
}

TEST_F(HostFiles, TheRecordSurvivesARestart) {
  {
    NvsFile nvs(folder_, true);
    ASSERT_TRUE(nvs.read("1.0.0"));
    char none[8];
    EXPECT_EQ(nvs.load(none, sizeof none), 0U);
    ASSERT_TRUE(nvs.save("record_format=1\nphase=0\n"));
  }
  NvsFile nvs(folder_, true);
  ASSERT_TRUE(nvs.read("9.9.9"));
  EXPECT_EQ(nvs.boot_state().version, "1.0.0") << "the command line only names the first version";
  char buffer[64];
  EXPECT_EQ(std::string(buffer, nvs.load(buffer, sizeof buffer)), "record_format=1\nphase=0\n");
  EXPECT_EQ(nvs.load(buffer, 4), 0U);
  EXPECT_EQ(text_of("nvs").rfind("active=a\nversion=1.0.0\n", 0), 0U);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/nvs.new"));
}

TEST_F(HostFiles, AHalfWrittenNewFileIsOfNoConsequence) {
  NvsFile nvs(folder_, false);
  ASSERT_TRUE(nvs.read("1.0.0"));
  std::ofstream(folder_ + "/nvs.new") << "acti";
  NvsFile again(folder_, false);
  ASSERT_TRUE(again.read("2.0.0"));
  EXPECT_EQ(again.boot_state().version, "1.0.0");
}

TEST_F(HostFiles, AnImageGoesIntoTheOtherSlotAndIsStartedOnTrial) {
  NvsFile nvs(folder_, false);
  ASSERT_TRUE(nvs.read("1.0.0"));
  FileSlots slots(folder_, nvs, 1000, false, FileSlots::Fault::kNone);
  EXPECT_FALSE(slots.open(5)) << "nothing is there yet";
  ASSERT_TRUE(slots.open(0));
  ASSERT_TRUE(write(slots, "hello wrong"));
  ASSERT_TRUE(slots.open(6));
  ASSERT_TRUE(write(slots, "world"));
  Digest digest{};
  ASSERT_TRUE(slots.sha256(11, digest));
  EXPECT_EQ(text_of("slot-b.bin"), "hello world");
  ASSERT_TRUE(slots.activate(version("1.1.0")));
  EXPECT_EQ(nvs.boot_state().active, 'b');
  for (int boot = 0; boot < 3; ++boot) ASSERT_TRUE(slots.boot_loader(false));
  EXPECT_TRUE(slots.boot_info().on_trial);
  EXPECT_EQ(slots.boot_info().running_version.view(), "1.1.0");
  ASSERT_TRUE(slots.confirm());
  ASSERT_TRUE(slots.boot_loader(false));
  EXPECT_FALSE(slots.boot_info().on_trial);
  ASSERT_TRUE(slots.open(0));
  ASSERT_TRUE(write(slots, "next"));
  EXPECT_EQ(text_of("slot-a.bin"), "next") << "the running slot is never written";
  EXPECT_EQ(text_of("slot-b.bin"), "hello world");
}

TEST_F(HostFiles, AnImageThatIsNeverConfirmedIsGivenUp) {
  NvsFile nvs(folder_, false);
  ASSERT_TRUE(nvs.read("1.0.0"));
  FileSlots slots(folder_, nvs, 1000, false, FileSlots::Fault::kNone);
  ASSERT_TRUE(slots.activate(version("1.1.0")));
  for (int boot = 0; boot < 4; ++boot) ASSERT_TRUE(slots.boot_loader(false));
  EXPECT_EQ(slots.boot_info().running_version.view(), "1.0.0");
  EXPECT_TRUE(slots.boot_info().rolled_back);
  EXPECT_EQ(nvs.boot_state().active, 'a');
  ASSERT_TRUE(slots.confirm());
  EXPECT_FALSE(slots.boot_info().rolled_back);
}

}  // namespace
}  // namespace ota::device::host
