// The rules of this code base that a compiler does not check.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "bridge/config.hpp"
#include "fleet/decide.hpp"
#include "topics/names.hpp"

namespace ota {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = OTA_SOURCE_DIR;
const std::set<std::string> kFolders = {"fleet",      "topics", "sql",   "http",  "bridge",
                                        "esp-client", "tests",  "bench", "otactl"};

std::string read(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Source {
  std::string folder;
  std::string path;  ///< relative to the root
  std::string text;
};

std::vector<Source> sources() {
  std::vector<Source> found;
  for (const auto& folder : kFolders) {
    if (!fs::exists(kRoot / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
      const auto extension = entry.path().extension();
      if (extension != ".cpp" && extension != ".hpp") continue;
      found.push_back({folder, fs::relative(entry.path(), kRoot).string(), read(entry.path())});
    }
  }
  return found;
}

TEST(Style, IncludesPointInTheAllowedDirection) {
  const std::map<std::string, std::set<std::string>> allowed = {
      {"fleet", {"fleet"}},        {"topics", {"topics", "fleet"}},           {"sql", {"sql", "fleet"}},
      {"http", {"http", "fleet"}}, {"bridge", {"bridge", "fleet", "topics"}}, {"esp-client", {"esp-client"}},
  };
  // The two places that join every folder.
  const std::set<std::string> joints = {"bridge/main.cpp", "bridge/service.cpp"};
  const std::regex include("#include \"([a-z-]+)/");
  for (const auto& source : sources()) {
    const auto rule = allowed.find(source.folder);
    if (rule == allowed.end() || joints.count(source.path) > 0) continue;
    for (std::sregex_iterator at(source.text.begin(), source.text.end(), include), end; at != end; ++at) {
      const auto target = (*at)[1].str();
      if (kFolders.count(target) == 0) continue;
      EXPECT_EQ(rule->second.count(target), 1U) << source.path << " includes " << target << "/";
    }
  }
}

TEST(Style, FilesStayShort) {
  constexpr std::ptrdiff_t kLinesMax = 400;
  for (const auto& source : sources()) {
    EXPECT_LE(std::count(source.text.begin(), source.text.end(), '\n'), kLinesMax) << source.path;
  }
}

TEST(Style, HeadersGuardThemselvesAndOpenNoNamespace) {
  for (const auto& source : sources()) {
    if (source.path.size() < 4 || source.path.substr(source.path.size() - 4) != ".hpp") continue;
    EXPECT_NE(source.text.find("#pragma once"), std::string::npos) << source.path;
    EXPECT_EQ(source.text.find("\nusing namespace"), std::string::npos) << source.path;
  }
}

TEST(Style, EveryVariableIsInTheReadme) {
  const auto readme = read(kRoot / "README.md");
  for (const auto& variable : bridge::config_variables()) {
    EXPECT_NE(readme.find("`" + variable.name + "`"), std::string::npos) << variable.name;
  }
}

TEST(Style, TheServicesSettingsAreVariables) {
  std::set<std::string> known;
  for (const auto& variable : bridge::config_variables()) known.insert(variable.name);
  std::istringstream settings(read(kRoot / "deploy/systemd/ota-bridge.env"));
  std::size_t count = 0;
  for (std::string line; std::getline(settings, line);) {
    if (line.empty() || line[0] == '#') continue;
    const auto name = line.substr(0, line.find('='));
    EXPECT_TRUE(known.count(name) == 1 || name.rfind("PG", 0) == 0) << line;
    ++count;
  }
  EXPECT_GT(count, 5U);
}

// Rows "| `NAME` | what | VALUE |" of a document's tables, as NAME -> VALUE.
std::map<std::string, std::string> documented_values(const std::string& document) {
  std::map<std::string, std::string> values;
  const std::regex row("\\n\\| `(\\w+)` \\|[^|]*\\| (\\d+) \\|");
  for (std::sregex_iterator at(document.begin(), document.end(), row), end; at != end; ++at) {
    EXPECT_TRUE(values.emplace((*at)[1], (*at)[2]).second) << (*at)[1] << " stands twice";
  }
  return values;
}

TEST(Style, EveryLimitIsInItsDocumentWithItsValue) {
  auto documented = documented_values(read(kRoot / "docs/limits.md"));
  const auto header = read(kRoot / "fleet/limits.hpp");
  const std::regex constant("inline constexpr \\S+ (k\\w+)(?: = |\\{)(\\d+)\\}?;");
  const auto declared = [&](std::size_t& count) {
    for (std::sregex_iterator at(header.begin(), header.end(), constant), end; at != end; ++at, ++count) {
      EXPECT_EQ(documented[(*at)[1]], (*at)[2].str()) << (*at)[1] << " in docs/limits.md";
      documented.erase((*at)[1]);
    }
  };
  std::size_t count = 0;
  declared(count);
  std::size_t constants = 0;
  for (auto at = header.find("inline constexpr"); at != std::string::npos;
       at = header.find("inline constexpr", at + 1)) {
    ++constants;
  }
  EXPECT_EQ(count, constants) << "every limit is a plain number";
  const auto broker = read(kRoot / "broker-config/mosquitto.conf.in");
  for (const auto& [name, value] : documented) {
    EXPECT_NE(broker.find("\n" + name + " " + value + "\n"), std::string::npos)
        << name << " is nowhere in the code";
  }
}

TEST(Style, LimitsOfThePublicHeadersAreInOnePlace) {
  const std::regex limit("inline constexpr \\S+ k\\w+Max\\b");
  for (const auto& source : sources()) {
    const bool is_server =
        source.folder != "esp-client" && source.folder != "tests" && source.folder != "bench";
    if (!is_server || source.path == "fleet/limits.hpp") continue;
    EXPECT_FALSE(std::regex_search(source.text, limit)) << source.path << ": it belongs in fleet/limits.hpp";
  }
}

TEST(Style, EveryTestThatTheThreatModelNamesExists) {
  std::set<std::string> tests;
  const std::regex declared("\\nTEST(?:_[FP])?\\((\\w+),\\s*(\\w+)\\)");
  for (const auto& source : sources()) {
    if (source.folder != "tests") continue;
    for (std::sregex_iterator at(source.text.begin(), source.text.end(), declared), end; at != end; ++at) {
      tests.insert((*at)[1].str() + "." + (*at)[2].str());
    }
  }
  const auto document = read(kRoot / "docs/security.md");
  const std::regex named("`([A-Z]\\w+\\.[A-Z]\\w+)`");
  std::size_t count = 0;
  for (std::sregex_iterator at(document.begin(), document.end(), named), end; at != end; ++at, ++count) {
    EXPECT_EQ(tests.count((*at)[1]), 1U) << "docs/security.md names " << (*at)[1];
  }
  EXPECT_GE(count, 40U) << "the table was not found";
}

// What was not refused has no error(), and what is read there may be an earlier call's: a test that reads it
// at once cannot fail. refused() can.
TEST(Style, TestsReadNoErrorThatMayNotBeThere) {
  const std::regex unseen("\\)\\s*\\.error\\(\\)");
  for (const auto& source : sources()) {
    if (source.folder != "tests") continue;
    EXPECT_FALSE(std::regex_search(source.text, unseen)) << source.path << ": use tests/support/refused.hpp";
  }
}

TEST(Style, EveryTopicIsInTheAsyncApi) {
  const auto document = read(kRoot / "topics/asyncapi.yaml");
  const auto names = topics::Names::make("{root}").has_value();
  EXPECT_FALSE(names) << "a placeholder is no root";
  const auto real = topics::Names::make("ota/v1").value();
  for (const auto kind : {topics::DeviceTopic::check, topics::DeviceTopic::offer, topics::DeviceTopic::status,
                          topics::DeviceTopic::ack, topics::DeviceTopic::presence}) {
    EXPECT_NE(document.find(real.device("{id}", kind).substr(7)), std::string::npos)
        << real.device("{id}", kind);
  }
  for (const char* topic :
       {"fleet/summary", "fleet/event", "fleet/rollout/{rollout_id}", "service/{replica}"}) {
    EXPECT_NE(document.find(topic), std::string::npos) << topic;
  }
}

// The members `reason` of an explanation and of its blocks.
TEST(Style, EveryReasonIsInTheOpenApi) {
  const auto document = read(kRoot / "http/openapi.yaml");
  const std::regex listed(R"(reason: \{type: string, enum: \[([a-z_, ]+)\]\})");
  std::vector<std::string> lists;
  for (std::sregex_iterator at(document.begin(), document.end(), listed), end; at != end; ++at)
    lists.push_back(", " + (*at)[1].str() + ",");
  ASSERT_EQ(lists.size(), 2U);
  for (auto reason = 0; reason <= static_cast<int>(fleet::Reason::cannot_compare); ++reason) {
    const auto name = std::string(fleet::to_string(static_cast<fleet::Reason>(reason)));
    EXPECT_NE(lists[0].find(", " + name + ","), std::string::npos) << name;
    const bool blocks =
        reason >= static_cast<int>(fleet::Reason::revoked);  // those before it are no standstill
    EXPECT_EQ(lists[1].find(", " + name + ",") != std::string::npos, blocks) << name;
  }
}

TEST(Style, EveryRouteIsInTheOpenApi) {
  const auto document = read(kRoot / "http/openapi.yaml");
  std::set<std::string> routes;
  const std::regex route("\"(/(?:api/[^\"]*|health|metrics))\"");
  for (const auto& source : sources()) {
    if (source.folder != "http") continue;
    for (std::sregex_iterator at(source.text.begin(), source.text.end(), route), end; at != end; ++at) {
      routes.insert((*at)[1].str());
    }
  }
  ASSERT_GE(routes.size(), 8U) << "the route table was not found in http/";
  for (auto path : routes) {
    path = std::regex_replace(path, std::regex(":([a-z_]+)"), "{$1}");
    EXPECT_NE(document.find(path), std::string::npos) << path;
  }
}

// What a parser is, its header says: it declares parse_…, decode_…, or read_… of a text or JSON.
TEST(Style, EveryParserHasAFuzzerWithSeeds) {
  const auto table = read(kRoot / "tests/fuzz/CMakeLists.txt");
  const std::regex parser(
      R"(\b(parse_|decode_|inspect_)[a-z_]+\(|\bread_[a-z_]+\((std::string_view|const fleet::JsonValue))");
  for (const auto& source : sources()) {
    const bool may_parse = source.folder == "fleet" || source.folder == "topics" || source.folder == "http" ||
                           source.folder == "bridge" || source.path.rfind("esp-client/core/", 0) == 0;
    const auto stem = fs::path(source.path).replace_extension(".cpp").string();
    if (!may_parse || fs::path(source.path).extension() != ".hpp" || !fs::exists(kRoot / stem)) continue;
    if (!std::regex_search(source.text, parser)) continue;
    EXPECT_NE(table.find(" " + stem), std::string::npos)
        << stem << " parses; give it a fuzzer (docs/fuzzing.md)";
  }
  const std::regex row(R"(ota_fuzzer\(([a-z0-9_]+) +PARSES)");
  std::size_t fuzzers = 0;
  for (std::sregex_iterator at(table.begin(), table.end(), row), end; at != end; ++at, ++fuzzers) {
    const auto corpus = kRoot / "tests/fuzz/corpus" / (*at)[1].str();
    EXPECT_TRUE(fs::exists(corpus) && !fs::is_empty(corpus)) << corpus << " has no seeds";
  }
  EXPECT_GE(fuzzers, 20U);
}

}  // namespace
}  // namespace ota
