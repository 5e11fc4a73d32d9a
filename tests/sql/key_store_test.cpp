#include "sql/key_store.hpp"

#include <gtest/gtest.h>

#include "sql/monitor_store.hpp"
#include "tests/sql/fixture.hpp"
#include "tests/support/refused.hpp"

namespace ota::sql_test {
namespace {

using fleet::ErrorKind;
using fleet::KeyRole;
using test_support::refused;

class Keys : public testing::Test {
 protected:
  static fleet::NewKey key_of(const std::string& name, std::uint8_t digest,
                              std::optional<fleet::Time> expires_at = {}) {
    return {name, KeyRole::publisher, {digest}, expires_at, "boss"};
  }
  fleet::KeyRing ring() { return rings_.load_keys().value(); }

  TestDatabase database_;
  sql::ConnectionPool pool_{database_.service(), 2};
  sql::PgKeyStore keys_{pool_};
  sql::PgKeyRingStore rings_{pool_};
};

TEST_F(Keys, AreInTheRingUntilRevoked) {
  const auto expires_at = now() + std::chrono::hours(1);
  ASSERT_TRUE(keys_.add_key(key_of("ci", 1, expires_at)));
  ASSERT_TRUE(keys_.add_key(key_of("web", 2)));
  const auto loaded = ring();
  const auto* found = loaded.find({1});
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->name, "ci");
  EXPECT_EQ(found->role, KeyRole::publisher);
  EXPECT_EQ(found->expires_at, expires_at);
  EXPECT_EQ(loaded.find({2})->expires_at, std::nullopt);

  ASSERT_TRUE(keys_.revoke_key("ci", "boss"));
  EXPECT_EQ(ring().find({1}), nullptr);
  EXPECT_NE(ring().find({2}), nullptr);
}

TEST_F(Keys, AreLoggedWhenMadeAndRevokedOnce) {
  ASSERT_TRUE(keys_.add_key(key_of("ci", 1)));
  ASSERT_TRUE(keys_.revoke_key("ci", "boss"));
  ASSERT_TRUE(keys_.revoke_key("ci", "boss"));
  EXPECT_EQ(database_.value(
                "SELECT string_agg(concat_ws(' ', event_type, event_data, created_by), '; ' ORDER BY id) "
                "FROM ota_events"),
            R"(key_created {"name": "ci", "role": "publisher"} boss; )"
            R"(key_revoked {"name": "ci", "role": "publisher"} boss)");
}

TEST_F(Keys, HaveANameForEver) {
  ASSERT_TRUE(keys_.add_key(key_of("ci", 1)));
  EXPECT_EQ(refused(keys_.add_key(key_of("ci", 2))).kind, ErrorKind::conflict);
  ASSERT_TRUE(keys_.revoke_key("ci", "boss"));
  EXPECT_EQ(refused(keys_.add_key(key_of("ci", 2))).kind, ErrorKind::conflict);
  EXPECT_EQ(refused(keys_.revoke_key("nobody", "boss")).kind, ErrorKind::not_found);
}

TEST_F(Keys, AreListedTheUsableFirst) {
  for (const auto* name : {"a", "b", "c"})
    ASSERT_TRUE(keys_.add_key(key_of(name, static_cast<std::uint8_t>(*name))));
  ASSERT_TRUE(keys_.revoke_key("c", "boss"));
  const auto rows = keys_.list_keys(10).value();
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].name + rows[1].name + rows[2].name, "bac");
  EXPECT_EQ(rows[0].role, "publisher");
  EXPECT_EQ(rows[0].created_by, "boss");
  EXPECT_TRUE(rows[0].revoked_at.empty());
  EXPECT_FALSE(rows[2].revoked_at.empty());
  EXPECT_EQ(keys_.list_keys(1)->size(), 1U);
}

TEST_F(Keys, AreNotMoreThanABridgeHolds) {
  database_.value(
      "INSERT INTO admin_keys (name, role, key_sha256) SELECT 'k' || i, 'viewer', lpad(to_hex(i), 64, '0') "
      "FROM generate_series(1, 1000) AS i");
  EXPECT_EQ(refused(keys_.add_key(key_of("ci", 1))).kind, ErrorKind::conflict);
  ASSERT_TRUE(keys_.revoke_key("k1", "boss"));
  EXPECT_TRUE(keys_.add_key(key_of("ci", 1)));
}

TEST_F(Keys, LastUseNeverMovesBack) {
  ASSERT_TRUE(keys_.add_key(key_of("ci", 1)));
  ASSERT_TRUE(keys_.add_key(key_of("web", 2)));
  const fleet::Time noon{std::chrono::hours(12)};
  ASSERT_TRUE(rings_.note_used({{"ci", noon}, {"ghost", noon}}));
  ASSERT_TRUE(rings_.note_used({{"ci", noon - std::chrono::hours(1)}}));
  EXPECT_EQ(database_.value("SELECT extract(epoch FROM last_used_at)::int FROM admin_keys WHERE name = 'ci'"),
            "43200");
  EXPECT_EQ(database_.value("SELECT last_used_at FROM admin_keys WHERE name = 'web'"), "");
}

TEST_F(Keys, ChangesAreHeardAlsoThoseByPsqlAndUsesAreNot) {
  ASSERT_TRUE(keys_.add_key(key_of("ci", 1)));
  sql::PgChangeListener listener(database_.service());
  EXPECT_TRUE(listener.wait(10'000)->keys) << "a new connection may have missed something";
  ASSERT_TRUE(rings_.note_used({{"ci", now()}}));
  EXPECT_FALSE(listener.wait(50)->keys);
  for (const auto* change : {"UPDATE admin_keys SET revoked_at = now()",
                             "UPDATE admin_keys SET role = 'viewer'", "DELETE FROM admin_keys"}) {
    database_.value(change);
    const auto heard = listener.wait(10'000);
    ASSERT_TRUE(heard) << heard.error().message;
    EXPECT_TRUE(heard->keys) << change;
    EXPECT_FALSE(heard->catalog) << change;
  }
}

TEST_F(Keys, CanBeRevokedByTheServiceAndNotRaised) {
  ASSERT_TRUE(keys_.add_key(key_of("ci", 1)));
  for (const auto* change :
       {"UPDATE admin_keys SET role = 'admin'", "UPDATE admin_keys SET expires_at = NULL",
        "UPDATE admin_keys SET key_sha256 = repeat('0', 64)", "DELETE FROM admin_keys"}) {
    EXPECT_THROW(database_.value_as_service(change), std::exception) << change;
  }
}

TEST_F(Keys, ThatCannotBeReadOpenNothing) {
  for (const auto* wrong :
       {"('a', 'root', repeat('0', 64))", "('a', 'admin', '')", "('a', 'admin', repeat('G', 64))"}) {
    EXPECT_THROW(
        database_.value(std::string("INSERT INTO admin_keys (name, role, key_sha256) VALUES ") + wrong),
        std::exception)
        << wrong;
  }
}

}  // namespace
}  // namespace ota::sql_test
