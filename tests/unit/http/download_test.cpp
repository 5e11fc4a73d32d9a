#include <filesystem>
#include <fstream>

#include "tests/unit/http/server_fixture.hpp"

namespace ota::tests {
namespace {

constexpr char kPath[] = "/api/firmware/download/1.1.0";

std::string image_of(std::size_t size) {
  std::string image(size, '\0');
  for (std::size_t i = 0; i < size; ++i) image[i] = static_cast<char>('a' + i % 26);
  return image;
}

class Download : public ServerTest {
 protected:
  void SetUp() override { add_image("1.1.0", "esp32", image_); }
  const std::string image_ = image_of(200'000);
  const std::string hash_ = bridge::to_hex(bridge::sha256(image_));
};

TEST_F(Download, AnswersTheWholeImageWithItsHeaders) {
  const auto answer = get(kPath);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, image_);
  EXPECT_EQ(answer.header("content-type"), "application/octet-stream");
  EXPECT_EQ(answer.header("content-length"), "200000");
  EXPECT_EQ(answer.header("etag"), '"' + hash_ + '"');
  EXPECT_EQ(answer.header("x-firmware-version"), "1.1.0");
  EXPECT_EQ(answer.header("x-checksum-sha256"), hash_);
  EXPECT_EQ(answer.header("accept-ranges"), "bytes");
}

TEST_F(Download, HeadAnswersTheSameHeadersWithoutABody) {
  RawClient client(port());
  client.send("HEAD " + std::string(kPath) + " HTTP/1.1\r\nHost: t\r\n\r\n");
  const auto answer = client.read_reply(true);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("content-length"), "200000");
  client.send("GET /health HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(client.read_reply().status, 200) << "nothing of a body may have followed the head";
}

TEST_F(Download, AnswersRanges) {
  const auto middle = get(kPath, {{"Range", "bytes=100-299"}});
  EXPECT_EQ(middle.status, 206);
  EXPECT_EQ(middle.header("content-range"), "bytes 100-299/200000");
  EXPECT_EQ(middle.body, image_.substr(100, 200));
  EXPECT_EQ(get(kPath, {{"Range", "bytes=199990-"}}).body, image_.substr(199990));
  EXPECT_EQ(get(kPath, {{"Range", "bytes=-10"}}).body, image_.substr(199990));
  EXPECT_EQ(get(kPath, {{"Range", "bytes=199999-300000"}}).header("content-range"),
            "bytes 199999-199999/200000");
}

TEST_F(Download, OddRangesCountAsAbsent) {
  for (const char* range : {"bytes=0-1,5-6", "bytes=5-4", "bytes=x-y", "items=0-1", "bytes", "bytes=-"}) {
    const auto answer = get(kPath, {{"Range", range}});
    EXPECT_EQ(answer.status, 200) << range;
    EXPECT_EQ(answer.body.size(), image_.size()) << range;
  }
  EXPECT_EQ(get("/health", {{"Range", "bytes=0-1"}}).status, 200);
  EXPECT_EQ(get("/health", {{"Range", "bytes=9000-"}}).status, 200);
  EXPECT_EQ(get("/api/admin/devices", {{"Range", "nonsense"}}).status, 401);
}

TEST_F(Download, RangesOutsideAre416WithTheSize) {
  for (const char* range :
       {"bytes=200000-", "bytes=300000-400000", "bytes=99999999999999999999-", "bytes=-0"}) {
    const auto answer = get(kPath, {{"Range", range}});
    EXPECT_EQ(answer.status, 416) << range;
    EXPECT_EQ(answer.header("content-range"), "bytes */200000") << range;
  }
}

TEST_F(Download, IfRangeGuardsAgainstAnotherImage) {
  EXPECT_EQ(get(kPath, {{"Range", "bytes=0-9"}, {"If-Range", '"' + hash_ + '"'}}).status, 206);
  EXPECT_EQ(get(kPath, {{"Range", "bytes=0-9"}, {"If-Range", "\"other\""}}).status, 200);
}

TEST_F(Download, IfNoneMatchIs304) {
  RawClient client(port());
  client.send("GET " + std::string(kPath) + " HTTP/1.1\r\nHost: t\r\nIf-None-Match: \"" + hash_ +
              "\"\r\n\r\n");
  const auto answer = client.read_reply(true);
  EXPECT_EQ(answer.status, 304);
  EXPECT_EQ(answer.header("etag"), '"' + hash_ + '"');
  client.send("GET /health HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(client.read_reply().status, 200);
  EXPECT_EQ(get(kPath, {{"If-None-Match", "\"other\""}}).status, 200);
}

TEST_F(Download, Http10ClientsGetALengthAndAClose) {
  RawClient client(port());
  client.send("GET " + std::string(kPath) + " HTTP/1.0\r\n\r\n");
  const auto answer = client.read_reply();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("content-length"), "200000");
  EXPECT_EQ(answer.header("transfer-encoding"), "");
  EXPECT_EQ(answer.body, image_);
  EXPECT_TRUE(client.is_closed_within(std::chrono::seconds(10)));
}

TEST_F(Download, Http10ClientsMayKeepTheirConnection) {
  RawClient client(port());
  for (const char* value : {"keep-alive", "Keep-Alive", "keep-alive"}) {
    client.send("GET /health HTTP/1.0\r\nConnection: " + std::string(value) + "\r\n\r\n");
    const auto answer = client.read_reply();
    EXPECT_EQ(answer.status, 200) << value;
    EXPECT_EQ(answer.header("connection"), "keep-alive");
  }
}

TEST_F(Download, AVersionOfSeveralModelsNeedsTheModel) {
  const std::string other = image_of(1000);
  add_image("1.1.0", "esp8266", other);
  // The new release reaches a bridge as a new snapshot.
  catalogs_.set(fleet::Catalog{});
  const auto ambiguous = get(kPath);
  EXPECT_EQ(ambiguous.status, 409);
  EXPECT_NE(ambiguous.body.find("device_model"), std::string::npos);
  EXPECT_EQ(get(std::string(kPath) + "?device_model=esp8266").body, other);
  EXPECT_EQ(get(std::string(kPath) + "?device_model=esp32").body.size(), image_.size());
  EXPECT_EQ(get(std::string(kPath) + "?device_model=esp99").status, 404);
}

TEST_F(Download, KnownImagesAreServedWhileTheDatabaseIsAway) {
  EXPECT_EQ(get(kPath).status, 200);
  const int asked = releases_.finds;
  releases_.failure = fleet::Error{fleet::ErrorKind::unavailable, "the database is away"};
  EXPECT_EQ(get(kPath).status, 200);
  EXPECT_EQ(releases_.finds, asked);
  EXPECT_EQ(get("/api/firmware/download/1.0.0").status, 503);
}

TEST_F(Download, AWithdrawnReleaseIsGoneWithTheNextSnapshot) {
  EXPECT_EQ(get(kPath).status, 200);
  releases_.rows.clear();
  catalogs_.set(fleet::Catalog{});
  EXPECT_EQ(get(kPath).status, 404);
}

TEST_F(Download, ADamagedOrMissingImageIsNeverServed) {
  const std::string file = folder_ + "/" + hash_ + ".bin";
  {
    std::fstream flip(file, std::ios::in | std::ios::out | std::ios::binary);
    flip.seekp(1000);
    flip.put('!');
  }
  const auto flipped = get(kPath);
  EXPECT_EQ(flipped.status, 500);
  EXPECT_EQ(flipped.body.find(folder_), std::string::npos);
  std::filesystem::resize_file(file, 10);
  EXPECT_EQ(get(kPath).status, 500);
  std::filesystem::remove(file);
  EXPECT_EQ(get(kPath).status, 500);
}

TEST_F(Download, PlusInAVersionIsFoundInEverySpelling) {
  add_image("1.2.0%2Bb1", "esp32", "bytes");
  for (const char* spelled : {"1.2.0+b1", "1.2.0%2Bb1", "1.2.0%20b1"}) {
    const auto answer = get("/api/firmware/download/" + std::string(spelled));
    EXPECT_EQ(answer.status, 200) << spelled;
    EXPECT_EQ(answer.header("x-firmware-version"), "1.2.0+b1");
  }
}

}  // namespace
}  // namespace ota::tests
