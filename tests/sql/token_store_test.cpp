#include "sql/token_store.hpp"

#include <gtest/gtest.h>

#include "sql/certificate_store.hpp"
#include "sql/device_store.hpp"
#include "sql/update_store.hpp"
#include "tests/sql/fixture.hpp"
#include "tests/support/refused.hpp"

namespace ota::sql_test {
namespace {

using fleet::ErrorKind;
using test_support::refused;

fleet::KeyDigest digest(std::uint8_t first) {
  fleet::KeyDigest made{};
  made[0] = first;
  return made;
}

class Tokens : public testing::Test {
 protected:
  TestDatabase database_;
  sql::ConnectionPool pool_{database_.service(), 2};
  sql::PgTokenStore tokens_{pool_};
  sql::PgUpdateStore writer_{database_.service()};
};

TEST_F(Tokens, ADeviceHasOneTokenAndMayHaveItBeforeItIsHeard) {
  ASSERT_TRUE(tokens_.set_token({"a", digest(1)}, "ann"));
  EXPECT_EQ(tokens_.find_owner(digest(1)).value(), "a");
  ASSERT_TRUE(tokens_.set_token({"a", digest(2)}, "ben"));
  EXPECT_EQ(tokens_.find_owner(digest(1)).value(), std::nullopt);
  EXPECT_EQ(tokens_.find_owner(digest(2)).value(), "a");
  EXPECT_EQ(database_.value("SELECT token_sha256 || created_by FROM device_tokens"),
            "02" + std::string(62, '0') + "ben");
  ASSERT_TRUE(tokens_.remove_token("a", "ann"));
  EXPECT_EQ(tokens_.find_owner(digest(2)).value(), std::nullopt);
  EXPECT_EQ(refused(tokens_.remove_token("a", "ann")).kind, ErrorKind::not_found);
  EXPECT_EQ(database_.value("SELECT string_agg(event_type || ' ' || created_by, ', ' ORDER BY id) "
                            "FROM ota_events WHERE device_id = 'a'"),
            "device_token_issued ann, device_token_issued ben, device_token_revoked ann");
}

TEST_F(Tokens, AWriterFindsThoseOfItsDevicesAndWhoseAreShown) {
  for (const auto& [id, first] : {std::pair("a", 1), std::pair("b", 2), std::pair("c", 3)})
    ASSERT_TRUE(tokens_.set_token({id, digest(static_cast<std::uint8_t>(first))}, "ann"));
  const auto found = writer_.find_tokens({{"a", digest(1)}, {"new", digest(3)}, {"b", digest(9)}});
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(*found, (fleet::DeviceTokens{{"a", digest(1)}, {"b", digest(2)}, {"c", digest(3)}}));
  EXPECT_TRUE(writer_.begin({check_of("a")})) << "and goes on with its transaction";
  EXPECT_TRUE(writer_.commit({}));
}

TEST_F(Tokens, WhatOnlySqlCanHaveMadeWrongIsRefused) {
  EXPECT_THROW(database_.value("INSERT INTO device_tokens VALUES ('a', 'in plain text')"), std::exception);
  ASSERT_TRUE(tokens_.set_token({"a", digest(1)}, ""));
  EXPECT_EQ(refused(tokens_.set_token({"b", digest(1)}, "")).kind, ErrorKind::invalid);
}

TEST_F(Tokens, OfARevokedDeviceNoneIsGood) {
  sql::PgCertificateStore certificates(pool_);
  ASSERT_TRUE(tokens_.set_token({"a", digest(1)}, "ann"));
  ASSERT_TRUE(certificates.revoke({"a", {}, "ann", "stolen"}));
  EXPECT_EQ(database_.value("SELECT count(*) FROM device_tokens"), "0");
  ASSERT_TRUE(tokens_.set_token({"a", digest(2)}, "ann"));
  EXPECT_EQ(tokens_.find_owner(digest(2)).value(), std::nullopt) << "nor is one that it gets afterwards";
  ASSERT_TRUE(certificates.reinstate("a", "ann", ""));
  EXPECT_EQ(tokens_.find_owner(digest(1)).value(), std::nullopt);
  EXPECT_EQ(tokens_.find_owner(digest(2)).value(), "a");
}

TEST_F(Tokens, GoWithTheirDevice) {
  sql::PgDeviceStore devices(pool_);
  ASSERT_TRUE(writer_.begin({check_of("a")}));
  ASSERT_TRUE(writer_.commit({}));
  ASSERT_TRUE(tokens_.set_token({"a", digest(1)}, "ann"));
  ASSERT_TRUE(devices.delete_device("a", "ann"));
  EXPECT_EQ(tokens_.find_owner(digest(1)).value(), std::nullopt);
}

}  // namespace
}  // namespace ota::sql_test
