#include <nlohmann/json.hpp>

#include <filesystem>
#include <thread>

#include "tests/support/eventually.hpp"
#include "tests/unit/http/server_fixture.hpp"

namespace ota::tests {
namespace {

namespace fs = std::filesystem;

constexpr char kQuery[] = "version=1.1.0&device_model=esp32";
constexpr char kHead[] =
    "POST /api/admin/firmware/upload?version=1.1.0&device_model=esp32 HTTP/1.1\r\nHost: t\r\n"
    "X-API-Key: correct-horse\r\nContent-Type: multipart/form-data; boundary=edge\r\n";

class Upload : public ServerTest {
 protected:
  /// How many images are stored, and how many uploads are unfinished.
  std::size_t images() const { return count(folder_, ""); }
  std::size_t unfinished() const { return count(folder_ + "/.incoming", "upload-"); }

 private:
  static std::size_t count(const std::string& folder, const std::string& prefix) {
    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.is_regular_file() && entry.path().filename().string().rfind(prefix, 0) == 0) ++files;
    }
    return files;
  }
};

TEST_F(Upload, StoresTheImageAndItsRow) {
  const std::string image(300'000, 'x');
  const auto answer =
      upload(std::string(kQuery) + "&min_version=1.0.0&changelog=c&release_notes=n%C3%A4&is_signed=true",
             multipart({{"comment", "passed over"}, {"file", image}}));
  const auto hash = bridge::to_hex(bridge::sha256(image));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(
      answer.body,
      R"({"status":"ok","message":"Firmware uploaded successfully","version":"1.1.0","file_size":300000,)"
      R"("checksum_sha256":")" +
          hash +
          R"(","image":{"format":"unknown"},)"
          R"("warnings":["'comment' is not a part of this body; there are file, manifest"]})");
  EXPECT_EQ(releases_.last.min_version, "1.0.0");
  EXPECT_EQ(releases_.last.changelog, "c");
  EXPECT_EQ(releases_.last.notes, "n\xC3\xA4");
  EXPECT_TRUE(releases_.last.is_signed);
  EXPECT_EQ(releases_.last.file_path, hash + ".bin");
  EXPECT_EQ(fs::file_size(folder_ + "/" + hash + ".bin"), image.size());
  EXPECT_EQ(unfinished(), 0U);
}

TEST_F(Upload, OfAWithdrawnReleaseSaysThatItIsNeverOffered) {
  fleet::Release withdrawn;
  withdrawn.version = "1.1.0";
  withdrawn.model = "esp32";
  withdrawn.withdrawn = true;
  catalogs_.set(fleet::Catalog({withdrawn}, {}));
  const auto answer = upload("version=1.1.0&device_model=esp32", multipart({{"file", "image"}}));
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_NE(answer.body.find("this release was withdrawn"), std::string::npos) << answer.body;
}

// The manifest of "image" as the fixture's verifier takes it: any signature will do.
std::string manifest_of(const std::string& line = {}, const std::string& other = {}) {
  std::string text =
      "ota-manifest-v1\nmodel=esp32\nversion=1.1.0\nsequence=7\nmin_version=1.0.0\nsize=5\nsha256=" +
      bridge::to_hex(bridge::sha256("image")) + "\nkey=k\nsignature=AAAA\n";
  if (!line.empty()) text.replace(text.find(line), line.size(), other);
  return text;
}

TEST_F(Upload, AManifestThatVerifiesIsKeptByteForByte) {
  const auto answer = upload(kQuery, multipart({{"manifest", manifest_of()}, {"file", "image"}}));
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(releases_.last.manifest, manifest_of());
  EXPECT_EQ(releases_.last.sequence, 7);
  EXPECT_EQ(releases_.last.min_version, "1.0.0");
  EXPECT_TRUE(releases_.last.is_signed);
}

TEST_F(Upload, AManifestOfSomethingElseIsRefusedAndNamesIt) {
  const std::pair<const char*, const char*> cases[] = {
      {"model=esp32", "model=esp8266"}, {"version=1.1.0", "version=1.2.0"}, {"size=5", "size=6"},
      {"sha256=", "sha256=0"},          {"key=k", "key=unknown"},           {"key=k", "expires=1\nkey=k"}};
  for (const auto& [line, other] : cases) {
    auto text = manifest_of(line, other);
    if (std::string(line) == "sha256=") text.erase(text.find("\nkey=") - 1, 1);
    const auto answer = upload(kQuery, multipart({{"file", "image"}, {"manifest", text}}));
    EXPECT_EQ(answer.status, 422) << other << answer.body;
    EXPECT_NE(answer.body.find("manifest: "), std::string::npos) << answer.body;
  }
  EXPECT_TRUE(releases_.rows.empty());
  EXPECT_EQ(upload(kQuery, multipart({{"file", "image"}, {"manifest", std::string(1025, 'x')}})).status, 413);
}

TEST_F(Upload, WhereSignedReleasesAreRequiredAnUnsignedOneIsRefused) {
  options_.require_signed = true;
  EXPECT_EQ(upload(kQuery, multipart({{"file", "image"}})).status, 422);
  EXPECT_EQ(upload(std::string(kQuery) + "&is_signed=true", multipart({{"file", "image"}})).status, 422);
  EXPECT_EQ(upload(kQuery, multipart({{"file", "image"}, {"manifest", manifest_of()}})).status, 200);
}

TEST_F(Upload, ANewerManifestReachesAStoredImage) {
  ASSERT_EQ(upload(kQuery, multipart({{"file", "image"}, {"manifest", manifest_of()}})).status, 200);
  const auto body = [](const std::string& text) { return nlohmann::json{{"manifest", text}}.dump(); };
  const auto newer = manifest_of("sequence=7", "sequence=8");
  EXPECT_EQ(post_as_admin("/api/admin/firmware/1.1.0/manifest", body(newer)).status, 200);
  EXPECT_EQ(releases_.ended, "manifest 1.1.0 8");
  EXPECT_EQ(post_as_admin("/api/admin/firmware/1.1.0/manifest", body("nonsense")).status, 422);
  EXPECT_EQ(post_as_admin("/api/admin/firmware/1.1.0/manifest", "{}").status, 422);
  EXPECT_EQ(post_as_admin("/api/admin/firmware/9.9.9/manifest", body(newer)).status, 404);
}

TEST_F(Upload, ASequenceThatDevicesWillRefuseIsWarnedOf) {
  auto newest = release(1, "1.2.0");
  newest.sequence = 7;
  catalogs_.set(fleet::Catalog({release(2, "1.0.0"), newest}, {}));
  const auto warned = [&](const std::string& line, const std::string& other) {
    releases_.rows.clear();
    const auto answer =
        upload(kQuery, multipart({{"file", "image"}, {"manifest", manifest_of(line, other)}}));
    EXPECT_EQ(answer.status, 200) << answer.body;
    return nlohmann::json::parse(answer.body).value("warnings", nlohmann::json::array());
  };
  const nlohmann::json told = {
      "manifest: its sequence 7 is not above 7 of version 1.2.0, the highest of esp32: devices that have "
      "installed that one refuse it"};
  EXPECT_EQ(warned("", ""), told);
  EXPECT_EQ(warned("sequence=7", "sequence=6").size(), 1U);
  EXPECT_TRUE(warned("sequence=7", "sequence=8").empty());
  const auto added =
      post_as_admin("/api/admin/firmware/1.1.0/manifest", nlohmann::json{{"manifest", manifest_of()}}.dump());
  EXPECT_EQ(nlohmann::json::parse(added.body).at("warnings"), told);
}

TEST_F(Upload, AManifestThatComesWithStoredBytesIsNotTakenAndTheWayIsTold) {
  ASSERT_EQ(upload(kQuery, multipart({{"file", "image"}})).status, 200);
  catalogs_.set(fleet::Catalog({release(1, "1.1.0")}, {}));
  const auto again = upload(kQuery, multipart({{"file", "image"}, {"manifest", manifest_of()}}));
  EXPECT_EQ(again.status, 200);
  EXPECT_NE(again.body.find("add this one by POST /api/admin/firmware/1.1.0/manifest?device_model=esp32"),
            std::string::npos)
      << again.body;
  EXPECT_EQ(upload(kQuery, multipart({{"file", "image"}})).body.find("warnings"), std::string::npos);
}

TEST_F(Upload, AnImageThatIsTooLargeIsToldTheLimitItself) {
  RawClient client(port());
  client.send(std::string(kHead) + "Content-Length: 5000000\r\n\r\n");
  const auto announced = client.read_reply();
  EXPECT_EQ(announced.status, 413);
  EXPECT_NE(announced.body.find("the image is larger than 1048576 bytes"), std::string::npos)
      << announced.body;
  const auto sent = upload(kQuery, multipart({{"file", std::string(1024 * 1024 + 1, 'x')}}));
  EXPECT_EQ(sent.status, 413);
  EXPECT_NE(sent.body.find("the image is larger than 1048576 bytes"), std::string::npos) << sent.body;
}

TEST_F(Upload, SameVersionAgain) {
  ASSERT_EQ(upload(kQuery, multipart({{"file", "one"}})).status, 200);
  EXPECT_EQ(upload(kQuery, multipart({{"file", "one"}})).status, 200);
  const auto other = upload(kQuery, multipart({{"file", "two"}}));
  EXPECT_EQ(other.status, 409);
  EXPECT_EQ(releases_.rows.size(), 1U);
  EXPECT_EQ(get("/api/firmware/download/1.1.0").body, "one");
}

TEST_F(Upload, RefusedBodies) {
  struct Case {
    const char* what;
    std::string body;
    int status;
    const char* detail;
  };
  const std::vector<Case> cases = {
      {"no file part", multipart({{"image", "x"}}), 422, "no part named 'file'"},
      {"two file parts", multipart({{"file", "x"}, {"file", "y"}}), 422, "two parts"},
      {"empty file", multipart({{"file", ""}}), 422, "empty"},
      {"no parts", "--edge--\r\n", 400, "multipart"},
      {"other boundary", "--other\r\n\r\nx\r\n--other--\r\n", 400, "multipart"},
      {"truncated", "--edge\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nbytes", 400, "multipart"},
      {"garbage", std::string(5000, '\xFF'), 400, "multipart"},
  };
  for (const auto& wrong : cases) {
    const auto answer = upload(kQuery, wrong.body);
    EXPECT_EQ(answer.status, wrong.status) << wrong.what << ": " << answer.body;
    EXPECT_NE(answer.body.find(wrong.detail), std::string::npos) << wrong.what << ": " << answer.body;
  }
  EXPECT_TRUE(releases_.rows.empty());
  EXPECT_EQ(images(), 0U);
  EXPECT_EQ(unfinished(), 0U);
}

TEST_F(Upload, TooLargeByItsLengthIsRefusedBeforeTheBody) {
  RawClient client(port());
  client.send(std::string(kHead) + "Content-Length: 1000000000\r\n\r\n--edge\r\n");
  const auto answer = client.read_reply();
  EXPECT_EQ(answer.status, 413);
  EXPECT_TRUE(answer.closes());
}

TEST_F(Upload, TooLargeInChunksIsCut) {
  RawClient client(port());
  client.send(std::string(kHead) + "Transfer-Encoding: chunked\r\n\r\n");
  const std::string part = "--edge\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n";
  const auto chunk = [&](const std::string& bytes) {
    char length[16];
    std::snprintf(length, sizeof(length), "%zx\r\n", bytes.size());
    return client.send(length + bytes + "\r\n");
  };
  chunk(part);
  bool open = true;
  for (int i = 0; i < 100 && open; ++i) open = chunk(std::string(65536, 'x'));
  const auto answer = client.read_reply();
  EXPECT_EQ(answer.status, 413) << answer.body;
  EXPECT_TRUE(releases_.rows.empty());
  EXPECT_TRUE(test_support::eventually([&] { return unfinished() == 0; }));
}

TEST_F(Upload, ChunkedUploadsAreStored) {
  RawClient client(port());
  const auto body = multipart({{"file", "chunked image"}});
  std::string text = std::string(kHead) + "Transfer-Encoding: chunked\r\n\r\n";
  for (std::size_t at = 0; at < body.size(); at += 10) {
    const auto piece = body.substr(at, 10);
    text += (piece.size() == 10 ? "a" : std::to_string(piece.size())) + "\r\n" + piece + "\r\n";
  }
  client.send(text + "0\r\n\r\n");
  EXPECT_EQ(client.read_reply().status, 200);
  EXPECT_EQ(get("/api/firmware/download/1.1.0").body, "chunked image");
}

TEST_F(Upload, AWrongKeyOrParameterIsToldBeforeTheBodyComes) {
  for (const auto& [head, status] : std::vector<std::pair<std::string, int>>{
           {"POST /api/admin/firmware/upload?version=1.1.0&device_model=esp32 HTTP/1.1\r\nHost: "
            "t\r\nX-API-Key: "
            "wrong\r\n",
            401},
           {"POST /api/admin/firmware/upload?version=1.1.0 HTTP/1.1\r\nHost: t\r\nX-API-Key: "
            "correct-horse\r\n",
            422}}) {
    RawClient client(port());
    client.send(head + "Content-Type: multipart/form-data; boundary=edge\r\nContent-Length: 500000\r\n\r\n");
    const auto answer = client.read_reply();
    EXPECT_EQ(answer.status, status);
    EXPECT_TRUE(answer.closes());
  }
}

TEST_F(Upload, ExpectContinueIsAnsweredByTheKey) {
  RawClient right(port());
  right.send(std::string(kHead) + "Expect: 100-continue\r\nContent-Length: 93\r\n\r\n");
  EXPECT_EQ(right.read_reply(true).status, 100);
  RawClient wrong(port());
  wrong.send(
      "POST /api/admin/firmware/upload?version=1.1.0&device_model=esp32 HTTP/1.1\r\nHost: t\r\nX-API-Key: "
      "wrong\r\n"
      "Expect: 100-continue\r\nContent-Length: 93\r\n\r\n");
  EXPECT_EQ(wrong.read_reply().status, 401);
}

TEST_F(Upload, AClientThatLeavesMidwayLeavesNothing) {
  {
    RawClient client(port());
    client.send(std::string(kHead) +
                "Content-Length: 500000\r\n\r\n--edge\r\nContent-Disposition: form-data; "
                "name=\"file\"\r\n\r\n" +
                std::string(100'000, 'x'));
    EXPECT_TRUE(test_support::eventually([&] { return unfinished() == 1; }));
  }
  EXPECT_TRUE(test_support::eventually([&] { return unfinished() == 0; }));
  EXPECT_TRUE(releases_.rows.empty());
  EXPECT_EQ(images(), 0U);
}

TEST_F(Upload, OfTwentyAtOnceOneWins) {
  std::atomic<int> stored{0};
  std::atomic<int> refused{0};
  options_.uploads_max = 20;
  port();
  std::vector<std::thread> uploaders;
  for (int i = 0; i < 20; ++i) {
    uploaders.emplace_back([&, i] {
      const auto answer = upload(kQuery, multipart({{"file", "image " + std::to_string(i)}}));
      if (answer.status == 200) ++stored;
      if (answer.status == 409) ++refused;
    });
  }
  for (auto& uploader : uploaders) uploader.join();
  EXPECT_EQ(stored, 1);
  EXPECT_EQ(refused, 19);
  EXPECT_EQ(releases_.rows.size(), 1U);
  EXPECT_EQ(get("/api/firmware/download/1.1.0").status, 200);
}

TEST_F(Upload, BeyondTheCapIs503BeforeTheBodyComes) {
  options_.uploads_max = 2;
  const std::string part = "--edge\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n";
  std::vector<RawClient> uploads;
  for (std::size_t i = 1; i <= 2; ++i) {
    uploads.emplace_back(port());
    uploads.back().send(std::string(kHead) + "Content-Length: 500000\r\n\r\n" + part);
    ASSERT_TRUE(test_support::eventually([&] { return unfinished() == i; }));
  }
  RawClient wrong_key(port());
  wrong_key.send(
      "POST /api/admin/firmware/upload?version=1.1.0&device_model=esp32 HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(wrong_key.read_reply().status, 401) << "only admins take places, or are told of them";
  RawClient third(port());
  third.send(std::string(kHead) + "Content-Length: 500000\r\n\r\n");
  const auto refused = third.read_reply();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.header("retry-after"), "5");
  uploads.pop_back();
  EXPECT_TRUE(test_support::eventually([&] {
    return upload(kQuery, multipart({{"file", "image"}})).status == 200;
  }));
}

TEST_F(Upload, AFailedRowIsToldAndNothingIsListed) {
  port();
  releases_.failure = fleet::Error{fleet::ErrorKind::unavailable, "the database is away"};
  EXPECT_EQ(upload(kQuery, multipart({{"file", "x"}})).status, 503);
}

}  // namespace
}  // namespace ota::tests
