// Who may call what: every route with every kind of key.
#include <nlohmann/json.hpp>
#include <set>

#include "http/routes.hpp"
#include "tests/unit/http/server_fixture.hpp"

namespace ota::tests {
namespace {

using fleet::KeyRole;
using http::Role;

class AdminKeys : public ServerTest {
 protected:
  AdminKeys() {
    for (const auto role : {KeyRole::viewer, KeyRole::publisher, KeyRole::operator_, KeyRole::admin}) {
      add(std::string(to_string(role)), role);
    }
    options_.trusted_proxies = fleet::parse_networks("127.0.0.1").value();
    add("expired", KeyRole::admin, kNow);
    add("revoked", KeyRole::admin);
    EXPECT_TRUE(keys_.revoke_key("revoked", ""));
  }

  /// A key whose text is "ota_" and its name.
  void add(const std::string& name, KeyRole role, std::optional<fleet::Time> expires_at = {}) {
    EXPECT_TRUE(keys_.add_key({name, role, test_sha256("ota_" + name), expires_at, "test"}));
  }

  Reply ask(const http::Route& route, Headers headers) {
    auto path = std::string(route.pattern);
    if (const auto open = path.find('{'); open != std::string::npos) {
      path.replace(open, path.find('}') - open + 1, "1");
    }
    headers["X-Forwarded-For"] = new_address();  // or wrong keys would slow each other down
    const bool has_body = route.body != http::BodyKind::none;
    return call(port(), std::string(route.method), path, headers, has_body ? "{}" : "");
  }
  Reply ask(const http::Route& route, const std::string& key) {
    return ask(route, Headers{{"X-API-Key", key}});
  }

  std::string new_address() {
    ++addresses_;
    return "198.51." + std::to_string(addresses_ / 256) + "." + std::to_string(addresses_ % 256);
  }

  Reply create(const std::string& key, const std::string& body) {
    return post("/api/admin/keys", body, {{"X-API-Key", key}});
  }

 private:
  int addresses_ = 0;
};

std::string label(const http::Route& route) {
  return std::string(route.method) + " " + std::string(route.pattern);
}

// Let in: whatever the handler then says of a request that holds next to nothing.
bool is_let_in(const Reply& reply) {
  const std::set<int> shut = {0, 401, 403, 429, 503};
  return shut.count(reply.status) == 0;
}

TEST_F(AdminKeys, OpenTheRoutesOfTheirRole) {
  const std::map<Role, std::set<std::string>> expected = {
      {Role::viewer, {"viewer", "publisher", "operator", "admin"}},
      {Role::publisher, {"publisher", "admin"}},
      {Role::operator_, {"operator", "admin"}},
      {Role::admin, {"admin"}},
  };
  for (const auto& route : http::routes()) {
    if (route.role == Role::device || route.role == Role::monitor) continue;
    EXPECT_TRUE(is_let_in(ask(route, kKey))) << label(route) << " with the root key";
    for (const auto* name : {"viewer", "publisher", "operator", "admin"}) {
      const auto reply = ask(route, std::string("ota_") + name);
      if (expected.at(route.role).count(name) > 0) {
        EXPECT_TRUE(is_let_in(reply)) << label(route) << " with " << name << ": " << reply.status;
      } else {
        EXPECT_EQ(reply.status, 403) << label(route) << " with " << name;
        EXPECT_NE(reply.body.find(std::string("the key ") + name + " has the role " + name),
                  std::string::npos)
            << reply.body;
      }
    }
  }
}

TEST_F(AdminKeys, AreRefusedWhenMissingWrongExpiredOrRevoked) {
  for (const auto& route : http::routes()) {
    if (route.role == Role::device || route.role == Role::monitor) continue;
    EXPECT_EQ(ask(route, Headers{}).status, 401) << label(route);
    for (const auto* key :
         {"ota_wrong", "ota_expired", "ota_revoked", "", "correct-hors", "correct-horsec", "Correct-horse"}) {
      const auto reply = ask(route, key);
      EXPECT_EQ(reply.status, 401) << label(route) << " with " << key;
      if (reply.body.find(key) != std::string::npos && *key != '\0')
        ADD_FAILURE() << "told a key: " << reply.body;
    }
  }
}

TEST_F(AdminKeys, AreNotAskedForByDevicesAndMonitors) {
  for (const auto& route : http::routes()) {
    const bool is_admins = route.pattern.rfind("/api/admin/", 0) == 0;
    EXPECT_EQ(http::needed_key(route.role).has_value(), is_admins) << label(route);
    if (is_admins) continue;
    for (const auto& reply : {ask(route, Headers{}), ask(route, "ota_wrong")}) {
      EXPECT_GT(reply.status, 0) << label(route);
      EXPECT_EQ(reply.body.find("X-API-Key"), std::string::npos) << label(route) << ": " << reply.body;
    }
  }
}

TEST_F(AdminKeys, WithoutAnyTheRoutesAreShut) {
  options_.api_key.clear();
  keys_.clear();
  for (const auto& route : http::routes()) {
    if (!http::needed_key(route.role)) continue;
    for (const auto& headers : {Headers{}, Headers{{"X-API-Key", ""}}, Headers{{"X-API-Key", kKey}}}) {
      const auto reply = ask(route, headers);
      EXPECT_EQ(reply.status, 503) << label(route);
      EXPECT_EQ(reply.body, R"({"detail":"API key not configured"})");
    }
  }
}

TEST_F(AdminKeys, OfTheDatabaseAreEnoughWithoutARootKey) {
  options_.api_key.clear();
  EXPECT_EQ(get("/api/admin/devices", {{"X-API-Key", "ota_viewer"}}).status, 200);
  EXPECT_EQ(get("/api/admin/devices", {{"X-API-Key", ""}}).status, 401)
      << "the empty key is not the root key";
  EXPECT_EQ(get("/api/admin/devices").status, 401);
}

TEST_F(AdminKeys, OtherThanTheRootKeyWaitForTheDatabase) {
  keys_.is_unread = true;
  EXPECT_EQ(get_as_admin("/api/admin/devices").status, 200);
  EXPECT_EQ(get("/api/admin/devices", {{"X-API-Key", "ota_viewer"}}).status, 503);
}

TEST_F(AdminKeys, AreMadeByAdminsShownOnceAndKnownByTheirHash) {
  const auto reply =
      create("ota_admin", R"({"name":"ci","role":"publisher","expires_at":"2031-05-01T00:00:00Z"})");
  ASSERT_EQ(reply.status, 201) << reply.body;
  EXPECT_EQ(reply.header("cache-control"), "no-store");
  const auto made = nlohmann::json::parse(reply.body);
  const auto key = made.at("key").get<std::string>();
  EXPECT_EQ(key.rfind("ota_", 0), 0U);
  EXPECT_EQ(made.at("expires_at"), "2031-05-01T00:00:00.000000+00:00");
  const auto ring = keys_.keys();
  const auto* found = ring->find(test_sha256(key));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->name, "ci");
  EXPECT_EQ(found->role, KeyRole::publisher);
  const auto listed = get_as_admin("/api/admin/keys").body;
  EXPECT_NE(listed.find(R"({"name":"ci","role":"publisher",)"), std::string::npos) << listed;
  EXPECT_NE(listed.find(R"("created_by":"admin")"), std::string::npos) << listed;
  EXPECT_EQ(listed.find(key), std::string::npos);
  EXPECT_EQ(get("/api/admin/devices", {{"X-API-Key", key}}).status, 200);
  EXPECT_EQ(keys_.used.back(), "ci");
}

TEST_F(AdminKeys, AreRefusedAtTheirMakingWithTheFieldThatIsWrong) {
  const std::pair<const char*, const char*> wrong[] = {
      {R"({"role":"viewer"})", "name"},
      {R"({"name":"a b","role":"viewer"})", "name"},
      {R"({"name":"admin","role":"viewer"})", "name"},
      {R"({"name":7,"role":"viewer"})", "name"},
      {R"({"name":"a"})", "role"},
      {R"({"name":"a","role":"root"})", "role"},
      {R"({"name":"a","role":"viewer","expires_at":"tomorrow"})", "expires_at"},
      {R"({"name":"a","role":"viewer","expires_at":"1969-01-01T00:00:00Z"})", "expires_at"},
      {R"({"name":"a","role":"viewer","expires_at":"2031-05-01T00:00:00"})", "expires_at"},
  };
  for (const auto& [body, field] : wrong) {
    const auto reply = create(kKey, body);
    EXPECT_EQ(reply.status, 422) << body;
    EXPECT_EQ(reply.body.find(std::string(R"({"detail":")") + field), 0U) << reply.body;
  }
  EXPECT_EQ(create(kKey, R"({"name":"viewer","role":"viewer"})").status, 409);
}

TEST_F(AdminKeys, AreRevokedByName) {
  const auto revoke = [&](const std::string& name) {
    return call(port(), "DELETE", "/api/admin/keys/" + name, {{"X-API-Key", kKey}}).status;
  };
  EXPECT_EQ(get("/api/admin/devices", {{"X-API-Key", "ota_viewer"}}).status, 200);
  EXPECT_EQ(revoke("viewer"), 200);
  EXPECT_EQ(get("/api/admin/devices", {{"X-API-Key", "ota_viewer"}}).status, 401);
  EXPECT_EQ(revoke("nobody"), 404);
  EXPECT_EQ(revoke("a%20b"), 422);
}

TEST_F(AdminKeys, StandForTheirActionsInTheAuditLog) {
  rollouts_.rows.resize(1);
  rollouts_.rows[0].id = 7;
  const Headers as_operator = {{"X-API-Key", "ota_operator"}};
  const auto rollout =
      R"({"name":"r","firmware_version":"1.1.0","device_model":"esp32","target_type":"all"})";
  EXPECT_EQ(post("/api/admin/rollout/create", rollout, as_operator).status, 200);
  EXPECT_EQ(rollouts_.created.by, "operator");
  EXPECT_EQ(post("/api/admin/rollout/7/pause", "", as_operator).status, 200);
  EXPECT_EQ(rollouts_.ordered.by, "operator");
  EXPECT_EQ(call(port(), "PATCH", "/api/admin/rollout/7", as_operator, R"({"rollout_percentage":1})").status,
            200);
  EXPECT_EQ(rollouts_.patched.by, "operator");
  EXPECT_EQ(post("/api/admin/groups/beta/devices", R"({"add":["d1"]})", as_operator).status, 200);
  EXPECT_EQ(devices_.change.by, "operator");
  const auto image =
      call(port(), "POST", "/api/admin/firmware/upload?version=1.0.0&device_model=esp32",
           {{"X-API-Key", "ota_publisher"}, {"Content-Type", "multipart/form-data; boundary=edge"}},
           multipart({{"file", "image"}}));
  EXPECT_EQ(image.status, 200) << image.body;
  EXPECT_EQ(releases_.last.by, "publisher");
  EXPECT_EQ(post_as_admin("/api/admin/rollout/7/pause", "").status, 200);
  EXPECT_EQ(rollouts_.ordered.by, "admin");
}

}  // namespace
}  // namespace ota::tests
