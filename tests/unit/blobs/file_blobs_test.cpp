#include "bridge/file_blobs.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "bridge/sha256.hpp"
#include "tests/support/refused.hpp"

namespace ota::bridge {
namespace {

namespace fs = std::filesystem;
using fleet::ErrorKind;
using test_support::refused;

class FileBlobsTest : public ::testing::Test {
 protected:
  FileBlobsTest() {
    std::string pattern = (fs::temp_directory_path() / "ota-blobs-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~FileBlobsTest() override { fs::remove_all(folder_); }

  static fleet::StoredBlob store(FileBlobs& blobs, const std::string& bytes) {
    auto upload = blobs.begin_upload();
    EXPECT_TRUE(upload);
    EXPECT_TRUE((*upload)->append(bytes));
    return (*upload)->keep().value();
  }
  void write_file(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << bytes;
  }
  std::size_t unfinished() const {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(folder_ + "/.incoming")) {
      if (entry.path().filename().string().rfind("upload-", 0) == 0) ++count;
    }
    return count;
  }

  std::string folder_;
};

TEST_F(FileBlobsTest, KeepsAnUploadUnderItsHash) {
  FileBlobs blobs(folder_, 1000);
  const auto stored = store(blobs, "image");
  EXPECT_EQ(stored.sha256, to_hex(sha256("image")));
  EXPECT_EQ(stored.file_path, stored.sha256 + ".bin");
  EXPECT_EQ(stored.size_bytes, 5);
  const auto blob = blobs.open(stored.file_path, stored.size_bytes, stored.sha256);
  ASSERT_TRUE(blob);
  EXPECT_EQ((*blob)->bytes(), "image");
  EXPECT_EQ(unfinished(), 0U);
}

TEST_F(FileBlobsTest, KeepIsIdempotentAndTheSameBytesMayComeAgain) {
  FileBlobs blobs(folder_, 1000);
  auto upload = blobs.begin_upload();
  ASSERT_TRUE((*upload)->append("image"));
  const auto first = (*upload)->keep();
  const auto second = (*upload)->keep();
  EXPECT_EQ(first->file_path, second->file_path);
  EXPECT_EQ(store(blobs, "image").file_path, first->file_path);
  EXPECT_TRUE(blobs.open(first->file_path, 5, first->sha256));
}

TEST_F(FileBlobsTest, AnUploadThatIsGivenUpLeavesNothing) {
  FileBlobs blobs(folder_, 1000);
  {
    auto upload = blobs.begin_upload();
    ASSERT_TRUE((*upload)->append("half"));
    EXPECT_EQ(unfinished(), 1U);
  }
  EXPECT_EQ(unfinished(), 0U);
}

TEST_F(FileBlobsTest, BeyondTheLimitIsTooLarge) {
  FileBlobs blobs(folder_, 10);
  auto upload = blobs.begin_upload();
  ASSERT_TRUE((*upload)->append("0123456789"));
  EXPECT_EQ(refused((*upload)->append("x")).kind, ErrorKind::too_large);
}

TEST_F(FileBlobsTest, OpensOnlyWhatIsExactlyExpected) {
  FileBlobs blobs(folder_, 1000);
  const auto stored = store(blobs, "image");
  EXPECT_EQ(refused(blobs.open("nothing.bin", 5, stored.sha256)).kind, ErrorKind::not_found);
  EXPECT_EQ(refused(blobs.open(stored.file_path, 6, stored.sha256)).kind, ErrorKind::internal);
  EXPECT_EQ(refused(blobs.open(stored.file_path, 5, std::string(64, 'a'))).kind, ErrorKind::internal);
}

TEST_F(FileBlobsTest, AdoptedNamesAreOpenedAndPathsOutsideAreNot) {
  FileBlobs blobs(folder_, 1000);
  write_file("esp32_1.0.0.bin", "old");
  const auto hash = to_hex(sha256("old"));
  EXPECT_TRUE(blobs.open("esp32_1.0.0.bin", 3, hash));
  fs::create_symlink("/etc/passwd", folder_ + "/link.bin");
  EXPECT_FALSE(blobs.open("link.bin", 3, hash));
  for (const std::string path :
       {"../x", "a/../../x", "/etc/passwd", "", ".", "./x", ".incoming/lock", "a//"}) {
    EXPECT_EQ(refused(blobs.open(path, 3, hash)).kind, ErrorKind::invalid) << path;
  }
  EXPECT_EQ(refused(blobs.open(std::string("a\0b", 3), 3, hash)).kind, ErrorKind::invalid);
}

TEST_F(FileBlobsTest, AFlippedByteIsNoticedAlsoAfterTheFileWasOpened) {
  FileBlobs blobs(folder_, 1000);
  const auto stored = store(blobs, "image");
  ASSERT_TRUE(blobs.open(stored.file_path, 5, stored.sha256));
  {
    std::fstream file(folder_ + "/" + stored.file_path, std::ios::in | std::ios::out | std::ios::binary);
    file.put('X');
  }
  EXPECT_EQ(refused(blobs.open(stored.file_path, 5, stored.sha256)).kind, ErrorKind::internal);
}

TEST_F(FileBlobsTest, TheMapIsShared) {
  FileBlobs blobs(folder_, 1000);
  const auto stored = store(blobs, "image");
  const auto first = blobs.open(stored.file_path, 5, stored.sha256);
  const auto second = blobs.open(stored.file_path, 5, stored.sha256);
  EXPECT_EQ(first->get(), second->get());
}

TEST_F(FileBlobsTest, AKilledUploadIsSweptAtTheNextStartAndALivingOneIsNot) {
  FileBlobs blobs(folder_, 1000);
  auto living = blobs.begin_upload();
  ASSERT_TRUE((*living)->append("living"));
  const pid_t child = ::fork();
  if (child == 0) {
    auto upload = blobs.begin_upload();
    (void)(*upload)->append("dead");
    ::_exit(0);  // as kill -9: no destructor runs
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(unfinished(), 2U);
  const FileBlobs next_start(folder_, 1000);
  EXPECT_EQ(unfinished(), 1U);
  EXPECT_TRUE((*living)->keep());
}

TEST_F(FileBlobsTest, OrphansAreSweptUnlessAnUploadIsUnderWay) {
  std::string referenced_path;
  FileBlobs blobs(folder_, 1000,
                  [&](const std::string& path) -> fleet::Expected<bool> { return path == referenced_path; });
  const auto referenced = store(blobs, "referenced");
  referenced_path = referenced.file_path;
  const auto orphan = store(blobs, "orphan");
  write_file("esp32_1.0.0.bin", "adopted files are never touched");
  const std::string anothers = std::string(64, 'a') + ".bin";
  write_file(anothers, "of another database that keeps its images here");
  {
    const auto upload = blobs.begin_upload();
    EXPECT_EQ(blobs.sweep_orphans().value(), 0);
  }
  EXPECT_EQ(blobs.sweep_orphans().value(), 1);
  EXPECT_FALSE(fs::exists(folder_ + "/" + orphan.file_path));
  EXPECT_TRUE(fs::exists(folder_ + "/" + referenced.file_path));
  EXPECT_TRUE(fs::exists(folder_ + "/esp32_1.0.0.bin"));
  EXPECT_TRUE(fs::exists(folder_ + "/" + anothers));
  EXPECT_EQ(blobs.sweep_orphans().value(), 0);
}

TEST_F(FileBlobsTest, AFileRemovedWhileAnUploadIsUnderWayIsSweptLater) {
  FileBlobs blobs(folder_, 1000, [](const std::string&) -> fleet::Expected<bool> { return false; });
  write_file("esp32_1.0.0.bin", "of a release that is deleted");
  {
    const auto upload = blobs.begin_upload();
    blobs.remove("esp32_1.0.0.bin");
    EXPECT_TRUE(fs::exists(folder_ + "/esp32_1.0.0.bin"));
  }
  EXPECT_EQ(blobs.sweep_orphans().value(), 1);
  EXPECT_FALSE(fs::exists(folder_ + "/esp32_1.0.0.bin"));
}

TEST_F(FileBlobsTest, RemovesAFileOnlyOnceNoReleaseNamesIt) {
  bool referenced = true;
  FileBlobs blobs(folder_, 1000, [&](const std::string&) -> fleet::Expected<bool> { return referenced; });
  const auto stored = store(blobs, "image");
  blobs.remove(stored.file_path);
  EXPECT_TRUE(fs::exists(folder_ + "/" + stored.file_path));
  referenced = false;
  blobs.remove("../" + stored.file_path);
  blobs.remove(stored.file_path);
  EXPECT_FALSE(fs::exists(folder_ + "/" + stored.file_path));
}

TEST_F(FileBlobsTest, ASweepThatCannotAskRemovesNothing) {
  FileBlobs blobs(folder_, 1000, [](const std::string&) -> fleet::Expected<bool> {
    return fleet::fail(ErrorKind::unavailable, "away");
  });
  const auto stored = store(blobs, "image");
  EXPECT_FALSE(blobs.sweep_orphans());
  blobs.remove(stored.file_path);
  EXPECT_TRUE(fs::exists(folder_ + "/" + stored.file_path));
}

TEST_F(FileBlobsTest, AFolderThatCannotBeWrittenIsAnErrorNotACrash) {
  write_file("file", "in the way");
  FileBlobs blobs(folder_ + "/file/sub", 1000);
  EXPECT_FALSE(blobs.begin_upload());
}

}  // namespace
}  // namespace ota::bridge
