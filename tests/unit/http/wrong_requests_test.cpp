#include <nlohmann/json.hpp>

#include "http/routes.hpp"
#include "tests/unit/http/server_fixture.hpp"

namespace ota::tests {
namespace {

struct Wrong {
  std::string what;
  std::string method;
  std::string target;
  std::string body;
  int status;
  std::string detail;  ///< a part of the sentence
};

constexpr char kStatusPath[] = "/api/device/dev1/update-status";
constexpr char kCreate[] = "/api/admin/rollout/create";
constexpr char kUpload[] = "/api/admin/firmware/upload";

std::string check_with(const std::string& device, const std::string& model, const std::string& version) {
  return "/api/firmware/check?device_id=" + device + "&device_model=" + model + "&current_version=" + version;
}

std::string deep(int levels) {
  return std::string(static_cast<std::size_t>(levels), '[') +
         std::string(static_cast<std::size_t>(levels), ']');
}

std::string status_with(const std::string& members) {
  return R"({"firmware_version":"1.1.0","status":"success",)" + members + "}";
}

std::string rollout_with(const std::string& members) {
  return R"({"name":"r","firmware_version":"1.1.0","device_model":"esp32","target_type":"all",)" + members +
         "}";
}

std::vector<Wrong> wrong_requests() {
  return {
      {"unknown route", "GET", "/api/nothing", "", 404, "nothing at /api/nothing"},
      {"root", "GET", "/", "", 404, "nothing at /"},
      {"traversal", "GET", "/api/firmware/download/..%2F..%2Fetc%2Fpasswd", "", 400, "percent-encoded slash"},
      {"encoded slash", "GET", "/api/admin%2fkeys", "", 400, "percent-encoded slash"},
      {"slash as %u", "GET", "/api/admin%u002Fkeys", "", 400, "percent-encoded slash"},
      {"NUL in path", "GET", "/api/admin/devices/a%00b", "", 400, "NUL"},
      {"encoded letter", "GET", "/api/%61dmin/keys", "", 400, "/api/admin/keys as it is"},
      {"encoded letter of a download", "GET", "/api/firmware/%64ownload/1.1.0", "", 400,
       "/api/firmware/download/{version} as it is"},
      {"trailing slash", "GET", "/health/", "", 404, "nothing at /health/; leave out the slash"},
      {"trailing slash of a list", "GET", "/api/admin/keys/", "", 404,
       "nothing at /api/admin/keys/; leave out the slash"},
      {"nothing with a slash", "GET", "/api/nothing/", "", 404, "nothing at /api/nothing/"},

      {"no parameters", "GET", "/api/firmware/check", "", 422, "device_id is missing"},
      {"no device_id", "GET", "/api/firmware/check?device_model=m&current_version=1", "", 422,
       "device_id is missing"},
      {"no model", "GET", "/api/firmware/check?device_id=a&current_version=1", "", 422,
       "device_model is missing"},
      {"no version", "GET", "/api/firmware/check?device_id=a&device_model=m", "", 422,
       "current_version is missing"},
      {"empty id", "GET", check_with("", "m", "1"), "", 422, "device_id is empty"},
      {"twice", "GET", check_with("a", "m", "1") + "&device_id=b", "", 422, "device_id stands twice"},
      {"slash in id", "GET", check_with("a%2Fb", "m", "1"), "", 422, "device_id"},
      {"plus in id", "GET", check_with("a%2Bb", "m", "1"), "", 422, "device_id"},
      {"wildcard id", "GET", check_with("%23", "m", "1"), "", 422, "device_id"},
      {"dots as id", "GET", check_with("..", "m", "1"), "", 422, "device_id"},
      {"NUL in id", "GET", check_with("a%00b", "m", "1"), "", 422, "device_id"},
      {"newline in id", "GET", check_with("a%0Ab", "m", "1"), "", 422, "device_id"},
      {"bad UTF-8 in id", "GET", check_with("a%FF", "m", "1"), "", 422, "device_id"},
      {"long id", "GET", check_with(std::string(65, 'a'), "m", "1"), "", 422, "at most 64"},
      {"bad model", "GET", check_with("a", "m%24", "1"), "", 422, "device_model"},
      {"bad version", "GET", check_with("a", "m", "1%2F2"), "", 422, "current_version"},
      {"bad mac", "GET", check_with("a", "m", "1") + "&mac=zz", "", 422, "mac"},
      {"bad boot_id", "GET", check_with("a", "m", "1") + "&boot_id=%2F", "", 422, "boot_id"},
      {"bad manifest", "GET", check_with("a", "m", "1") + "&manifest=yes", "", 422,
       "manifest must be true or false"},

      {"bad id in path", "POST", "/api/device/a%23/update-status", status_with(R"("x":1)"), 422, "device_id"},
      {"no body", "POST", kStatusPath, "", 400, "body is missing"},
      {"not JSON", "POST", kStatusPath, "hello", 400, "not valid JSON"},
      {"bad UTF-8", "POST", kStatusPath, status_with("\"error_message\":\"\xFF\xFE\""), 400,
       "not valid JSON"},
      {"array", "POST", kStatusPath, "[]", 422, "JSON object"},
      {"deep", "POST", kStatusPath, deep(200), 400, "nested deeper than 16"},
      {"very deep", "POST", kStatusPath, deep(30000), 400, "nested deeper than 16"},
      {"duplicate key", "POST", kStatusPath, status_with(R"("status":"failed")"), 400, "status"},
      {"NUL", "POST", kStatusPath, status_with(R"("error_message":"a\u0000b")"), 400, "NUL"},
      {"too large", "POST", kStatusPath, status_with("\"error_message\":\"" + std::string(70000, 'x') + "\""),
       413, "65536"},
      {"no version", "POST", kStatusPath, R"({"status":"success"})", 422, "firmware_version is missing"},
      {"null version", "POST", kStatusPath, R"({"firmware_version":null,"status":"success"})", 422,
       "firmware_version is missing"},
      {"no status", "POST", kStatusPath, R"({"firmware_version":"1"})", 422, "status is missing"},
      {"unknown status", "POST", kStatusPath, R"({"firmware_version":"1","status":"done"})", 422,
       "rolled_back"},
      {"number as status", "POST", kStatusPath, R"({"firmware_version":"1","status":3})", 422,
       "status must be"},
      {"other device", "POST", kStatusPath, status_with(R"("device_id":"dev2")"), 422, "device_id 'dev2'"},
      {"progress -1", "POST", kStatusPath, status_with(R"("progress_percent":-1)"), 422, "progress_percent"},
      {"progress 101", "POST", kStatusPath, status_with(R"("progress_percent":101)"), 422,
       "progress_percent"},
      {"progress 2^63", "POST", kStatusPath, status_with(R"("progress_percent":9223372036854775808)"), 422,
       "progress_percent"},
      {"progress text", "POST", kStatusPath, status_with(R"("progress_percent":"5")"), 422,
       "progress_percent"},
      {"progress 5.5", "POST", kStatusPath, status_with(R"("progress_percent":5.5)"), 422,
       "progress_percent"},
      {"progress 1e400", "POST", kStatusPath, status_with(R"("progress_percent":1e400)"), 400,
       "out of range"},
      {"error as list", "POST", kStatusPath, status_with(R"("error_message":[])"), 422, "error_message"},
      {"attempt 0", "POST", kStatusPath, status_with(R"("attempt_id":0)"), 422, "attempt_id"},

      {"unknown firmware", "GET", "/api/firmware/download/7.7.7", "", 404, "no firmware 7.7.7"},
      {"bad firmware", "GET", "/api/firmware/download/..", "", 422, "version"},
      {"bad model", "GET", "/api/firmware/download/1.0.0?device_model=%2F", "", 422, "device_model"},

      {"limit 0", "GET", "/api/admin/firmware/releases?limit=0", "", 422,
       "limit must be a whole number from 1 to 100"},
      {"limit -1", "GET", "/api/admin/firmware/releases?limit=-1", "", 422, "limit"},
      {"limit 101", "GET", "/api/admin/firmware/releases?limit=101", "", 422, "limit"},
      {"limit 2^64+1", "GET", "/api/admin/firmware/releases?limit=18446744073709551617", "", 422, "limit"},
      {"limit 1e2", "GET", "/api/admin/firmware/releases?limit=1e2", "", 422, "limit"},
      {"limit 5.5", "GET", "/api/admin/devices?limit=5.5", "", 422, "limit"},
      {"limit 501", "GET", "/api/admin/devices?limit=501", "", 422, "1 to 500"},
      {"limit text", "GET", "/api/admin/update-status?limit=%225%22", "", 422, "limit"},
      {"bad filter", "GET", "/api/admin/update-status?device_id=%2F", "", 422, "device_id"},

      {"rollout not JSON", "POST", kCreate, "{", 400, "not valid JSON"},
      {"rollout empty", "POST", kCreate, "{}", 422, "name is missing"},
      {"percentage 101", "POST", kCreate, rollout_with(R"("rollout_percentage":101)"), 422,
       "rollout_percentage"},
      {"percentage true", "POST", kCreate, rollout_with(R"("rollout_percentage":true)"), 422,
       "rollout_percentage"},
      {"active text", "POST", kCreate, rollout_with(R"("is_active":"yes")"), 422, "is_active"},
      {"filter list", "POST", kCreate, rollout_with(R"("target_filter":[])"), 422, "target_filter"},
      {"rollout id text", "PATCH", "/api/admin/rollout/x", R"({"is_active":true})", 422, "id"},
      {"rollout id 2^63", "PATCH", "/api/admin/rollout/9223372036854775808", R"({"is_active":true})", 422,
       "id"},
      {"patch nothing", "PATCH", "/api/admin/rollout/1", "{}", 422, "nothing to change"},
      {"patch -1", "PATCH", "/api/admin/rollout/1", R"({"rollout_percentage":-1})", 422,
       "rollout_percentage"},

      {"upload nothing", "POST", kUpload, "x", 422, "version is missing"},
      {"upload no model", "POST", std::string(kUpload) + "?version=1.0.0", "x", 422,
       "device_model is missing"},
      {"upload min", "POST", std::string(kUpload) + "?version=1.0.0&device_model=m&min_version=1.0.0", "x",
       422, "min_version 1.0.0 must be below"},
      {"upload min of another kind", "POST",
       std::string(kUpload) + "?version=1.0.0&device_model=m&min_version=abc", "x", 422,
       "min_version abc cannot be compared"},
      {"upload flag", "POST", std::string(kUpload) + "?version=1.0.0&device_model=m&is_signed=maybe", "x",
       422, "is_signed"},
      {"upload notes", "POST", std::string(kUpload) + "?version=1.0.0&device_model=m&release_notes=%FF", "x",
       400, "release_notes"},
      {"upload not multipart", "POST", std::string(kUpload) + "?version=1.0.0&device_model=m", "x", 422,
       "multipart/form-data"},
      {"metrics format", "GET", "/metrics?format=xml", "", 422, "format must be"},
  };
}

using WrongRequests = ServerTest;

TEST_F(WrongRequests, EachGetsItsStatusAndASentenceThatHelps) {
  rollouts_.rows.resize(1);
  rollouts_.rows[0].id = 1;
  for (const auto& wrong : wrong_requests()) {
    SCOPED_TRACE(wrong.what + ": " + wrong.method + " " + wrong.target.substr(0, 120));
    const auto answer = call(port(), wrong.method, wrong.target, {{"X-API-Key", kKey}}, wrong.body);
    EXPECT_EQ(answer.status, wrong.status) << answer.body;
    const auto json = nlohmann::json::parse(answer.body, nullptr, false);
    ASSERT_TRUE(json.is_object()) << answer.body;
    EXPECT_NE(json.value("detail", "").find(wrong.detail), std::string::npos) << answer.body;
  }
  EXPECT_EQ(desk_.count(), 0U) << "a refused request must not reach the database";
}

TEST_F(WrongRequests, EveryRouteRefusesOtherMethodsAndSaysWhichItTakes) {
  for (const auto& route : http::routes()) {
    std::string path(route.pattern);
    const auto open = path.find('{');
    if (open != std::string::npos) path.replace(open, path.find('}') - open + 1, "1");
    const auto answer = call(port(), "PUT", path, {{"X-API-Key", kKey}});
    EXPECT_EQ(answer.status, 405) << path;
    EXPECT_NE(answer.header("allow").find(route.method), std::string::npos) << path;
  }
}

TEST_F(WrongRequests, NoAnswerMayBeTakenForAPage) {
  add_image("1.1.0", "esp32", "<html>");
  for (const char* path : {"/health", "/api/firmware/download/1.1.0", "/nowhere",
                           "/api/firmware/check?device_id=a&device_model=esp32&current_version=1.0.0"}) {
    EXPECT_EQ(get(path).header("x-content-type-options"), "nosniff") << path;
  }
}

TEST_F(WrongRequests, TwoKeysAreNoKey) {
  RawClient client(port());
  client.send(
      "GET /api/admin/devices HTTP/1.1\r\nHost: t\r\nX-API-Key: correct-horse\r\nX-API-Key: "
      "correct-horse\r\n\r\n");
  EXPECT_EQ(client.read_reply().status, 401);
}

TEST_F(WrongRequests, FramingThatTwoReadersCouldTakeDifferentlyIsRefused) {
  const std::string head = "POST " + std::string(kStatusPath) + " HTTP/1.1\r\nHost: t\r\n";
  for (const char* framing :
       {"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: -2\r\n", "Content-Length: 2x\r\n", "Content-Length: 99999999999999999999999\r\n",
        "Transfer-Encoding: gzip\r\n", "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding : chunked\r\nContent-Length: 2\r\n", "Content-Length\t: 2\r\n",
        "Content-Length: %32\r\n", " Content-Length: 2\r\n"}) {
    RawClient client(port());
    client.send(head + framing + "\r\n{}");
    const auto answer = client.read_reply();
    EXPECT_EQ(answer.status, 400) << framing;
    EXPECT_TRUE(answer.closes()) << framing;
  }
}

}  // namespace
}  // namespace ota::tests
