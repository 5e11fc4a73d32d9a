#include "http/routes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <regex>
#include <sstream>

namespace ota::http {
namespace {

std::string read_openapi() {
  std::ifstream file(OTA_SOURCE_DIR "/http/openapi.yaml");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// What the document says under `path`, up to the next path.
std::string block_of(const std::string& document, const std::string& path) {
  const auto begin = document.find("\n  " + path + ":\n");
  if (begin == std::string::npos) return {};
  const auto body = document.find('\n', begin + 1);
  std::size_t end = body;
  do {
    end = document.find('\n', end + 1);
  } while (end != std::string::npos && document.compare(end + 1, 3, "   ") == 0);
  return document.substr(body, end - body);
}

TEST(FindRoute, CapturesOneSegment) {
  const auto match = find_route("POST", "/api/admin/rollout/7/pause");
  ASSERT_NE(match.route, nullptr);
  EXPECT_EQ(match.route->pattern, "/api/admin/rollout/{rollout_id}/pause");
  EXPECT_EQ(match.captured, "7");
  EXPECT_EQ(find_route("GET", "/api/admin/rollout/7/8").route, nullptr);
  EXPECT_EQ(find_route("GET", "/api/admin/rollout/7/8").allow, "");
}

TEST(FindRoute, ALiteralPathIsNobodysName) {
  for (const char* method : {"GET", "HEAD", "PATCH", "DELETE"}) {
    for (const char* path : {"/api/admin/rollout/create", "/api/admin/rollout/simulate"}) {
      const auto match = find_route(method, path);
      EXPECT_EQ(match.route, nullptr) << method << " " << path;
      EXPECT_EQ(match.allow, "POST") << method << " " << path;
    }
  }
  // DELETE of a version that is called like a route beside it.
  EXPECT_EQ(find_route("DELETE", "/api/admin/firmware/releases").allow, "GET, HEAD");
}

TEST(FindRoute, NothingIsNobodysName) {
  for (const char* path : {"/api/admin/keys/", "/api/admin/devices//token", "/api/firmware/download/"}) {
    const auto match = find_route("DELETE", path);
    EXPECT_EQ(match.route, nullptr) << path;
    EXPECT_EQ(match.allow, "") << path;
  }
}

TEST(FindRoute, NamesEveryMethodOfAPath) {
  EXPECT_EQ(find_route("PUT", "/api/admin/devices/a").allow, "GET, HEAD, PATCH, DELETE");
  EXPECT_EQ(find_route("HEAD", "/api/admin/devices/a").route->method, "GET");
}

TEST(Routes, EveryMethodIsInTheOpenApi) {
  const auto document = read_openapi();
  for (const auto& route : routes()) {
    std::string method = "    ";
    for (const char c : route.method) method += static_cast<char>(std::tolower(c));
    EXPECT_NE(block_of(document, std::string(route.pattern)).find("\n" + method + ":\n"), std::string::npos)
        << route.method << " " << route.pattern;
  }
}

// What the document says of one operation.
std::string operation_of(const std::string& document, const Route& route) {
  std::string method = "\n    ";
  for (const char c : route.method) method += static_cast<char>(std::tolower(c));
  const auto block = block_of(document, std::string(route.pattern));
  const auto begin = block.find(method + ":\n");
  if (begin == std::string::npos) return {};
  auto end = begin + 1;
  do {
    end = block.find('\n', end + 1);
  } while (end != std::string::npos && block.compare(end + 1, 5, "     ") == 0);
  return block.substr(begin, end - begin);
}

TEST(Routes, WhatTheOpenApiSaysOfRolesHolds) {
  const auto document = read_openapi();
  for (const auto& route : routes()) {
    const auto operation = operation_of(document, route);
    const auto needed = needed_key(route.role);
    const auto role = needed ? "\n      x-role: " + std::string(to_string(*needed)) + "\n" : "";
    EXPECT_EQ(operation.find("x-role:") != std::string::npos, needed.has_value()) << route.pattern;
    EXPECT_NE(operation.find(role), std::string::npos)
        << route.method << " " << route.pattern << " needs " << role;
  }
}

TEST(Routes, KnowTheQueryParametersThatTheOpenApiNames) {
  const auto document = read_openapi();
  const std::regex parameter(R"(name: (\w+)(?:, in: query|\n\s+in: query))");
  for (const auto& route : routes()) {
    const auto operation = operation_of(document, route);
    std::string named;
    for (std::sregex_iterator at(operation.begin(), operation.end(), parameter), end; at != end; ++at) {
      named.append(named.empty() ? "" : " ").append((*at)[1]);
    }
    EXPECT_EQ(named, route.query) << route.method << " " << route.pattern;
  }
}

TEST(Routes, OnlyThoseOfTheContractTakeParametersThatNobodyKnows) {
  std::vector<std::string> told;
  std::vector<std::string> ignored;
  for (const auto& route : routes()) {
    if (!needed_key(route.role)) {
      EXPECT_EQ(route.stray, Stray::ignored) << route.pattern;
    } else if (route.stray != Stray::refused) {
      (route.stray == Stray::told ? told : ignored)
          .push_back(std::string(route.method) + " " + std::string(route.pattern));
    }
  }
  EXPECT_EQ(told,
            (std::vector<std::string>{"POST /api/admin/firmware/upload", "POST /api/admin/rollout/create",
                                      "PATCH /api/admin/rollout/{rollout_id}"}));
  EXPECT_EQ(ignored, (std::vector<std::string>{"GET /api/admin/firmware/releases",
                                               "POST /api/admin/rollout/{rollout_id}/deactivate",
                                               "GET /api/admin/devices", "GET /api/admin/update-status"}));
}

TEST(Routes, WhatTheOpenApiSaysOfBodiesHolds) {
  const auto document = read_openapi();
  for (const auto& route : routes()) {
    if (route.method != "POST") continue;
    if (route.body == BodyKind::none) {
      EXPECT_EQ(operation_of(document, route).find("requestBody"), std::string::npos) << route.pattern;
      continue;
    }
    const auto block = block_of(document, std::string(route.pattern));
    const bool optional = route.body == BodyKind::optional_json;
    EXPECT_NE(block.find(optional ? "required: false" : "required: true"), std::string::npos)
        << route.pattern;
  }
}

}  // namespace
}  // namespace ota::http
