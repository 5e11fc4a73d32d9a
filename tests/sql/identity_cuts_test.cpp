// What follows the taking back of an identity: the cut of its connection, and certificates from elsewhere.
#include <gtest/gtest.h>

#include <chrono>

#include "sql/certificate_store.hpp"
#include "sql/device_store.hpp"
#include "sql/update_store.hpp"
#include "tests/sql/fixture.hpp"
#include "tests/support/refused.hpp"

namespace ota::sql_test {
namespace {

using namespace std::chrono_literals;
using fleet::ErrorKind;
using test_support::refused;

class IdentityCuts : public testing::Test {
 protected:
  static fleet::NamedCertificate elsewhere(const std::string& device_id, const std::string& serial) {
    return {device_id, {serial, "PEM " + serial, "ff", now() - 1h, now() + 24h}};
  }
  fleet::Device hear(const fleet::Contact& contact) {
    auto devices = updates_.begin({contact});
    EXPECT_TRUE(devices);
    EXPECT_TRUE(updates_.commit({}));
    return devices->front();
  }
  std::string known(const std::string& device_id) {
    return database_.value("SELECT count(*) FROM devices WHERE device_id = '" + device_id + "'");
  }
  void carry_out_cuts() { ASSERT_TRUE(revocations_.mark_cut(revocations_.uncut(100).value())); }

  TestDatabase database_;
  sql::ConnectionPool pool_{database_.service(), 2};
  sql::PgCertificateStore certificates_{pool_};
  sql::PgDeviceStore devices_{pool_};
  sql::PgUpdateStore updates_{database_.service()};
  sql::PgRevocationStore revocations_{database_.service()};
};

TEST_F(IdentityCuts, AreOrderedAlsoWhereNoCertificateIsKnown) {
  hear(check_of("a"));
  ASSERT_TRUE(certificates_.revoke({"a", {}, "ann", ""}));
  const auto uncut = revocations_.uncut(100).value();
  ASSERT_EQ(uncut.size(), 1U);
  EXPECT_EQ(uncut[0].device_id, "a");
  ASSERT_TRUE(revocations_.mark_cut(uncut));
  EXPECT_TRUE(revocations_.uncut(100)->empty());
}

TEST_F(IdentityCuts, ADeletedDeviceDoesNotComeBackByWhatItSaysUntilThen) {
  hear(check_of("a"));
  ASSERT_TRUE(devices_.delete_device("a", "ann"));
  EXPECT_TRUE(hear(check_of("a")).revoked);
  EXPECT_EQ(known("a"), "0");
  carry_out_cuts();
  EXPECT_FALSE(hear(check_of("a")).revoked) << "by a new certificate it may";
  EXPECT_EQ(known("a"), "1");
}

TEST_F(IdentityCuts, ThatNobodyCarriesOutBarForSecondsOnly) {
  hear(check_of("a"));
  ASSERT_TRUE(devices_.delete_device("a", "ann"));
  database_.value("UPDATE device_cuts SET ordered_at = now() - interval '11 seconds' RETURNING id");
  EXPECT_FALSE(hear(check_of("a")).revoked);
}

TEST_F(IdentityCuts, TheReplacedHardwareIsNotNotedMeanwhile) {
  hear(check_of("a", "1.0.0"));
  ASSERT_TRUE(certificates_.record(
      {"a", {"4a", "PEM", "ff", now() - 1h, now() + 24h}, fleet::Issuance::replace, "", "ann", ""}));
  auto old = check_of("a", "6.6.6");
  old.mac = "AA:BB:CC:DD:EE:01";
  EXPECT_TRUE(hear(old).revoked);
  EXPECT_EQ(database_.value("SELECT current_firmware_version || coalesce(mac_address, '-') FROM devices"),
            "1.0.0-");
}

TEST_F(IdentityCuts, ARevokedDeviceIsNotDeletedBecauseItsRowKeepsItOut) {
  hear(check_of("a"));
  ASSERT_TRUE(certificates_.revoke({"a", {}, "ann", ""}));
  EXPECT_EQ(refused(devices_.delete_device("a", "ann")).kind, ErrorKind::conflict);
  ASSERT_TRUE(certificates_.reinstate("a", "ann", ""));
  EXPECT_TRUE(devices_.delete_device("a", "ann"));
}

TEST_F(IdentityCuts, RevocationsAreForGoodWhoeverWrites) {
  ASSERT_TRUE(certificates_.revoke({"a", {"4a"}, "ann", ""}));
  EXPECT_ANY_THROW(
      database_.value_as_service("UPDATE device_certificates SET revoked_at = NULL RETURNING serial"));
  EXPECT_ANY_THROW(database_.value("UPDATE device_certificates SET revoked_at = NULL RETURNING serial"));
  database_.value("INSERT INTO admin_keys (name, role, key_sha256, revoked_at) VALUES ('k', 'viewer', '" +
                  std::string(64, 'a') + "', now()) RETURNING name");
  EXPECT_ANY_THROW(database_.value_as_service("UPDATE admin_keys SET revoked_at = NULL RETURNING name"));
}

TEST_F(IdentityCuts, CertificatesFromElsewhereAreAdoptedOnce) {
  EXPECT_EQ(certificates_.adopt({elsewhere("a", "4a"), elsewhere("a", "4a"), elsewhere("b", "4b")}, "ann"),
            2);
  EXPECT_EQ(certificates_.adopt({elsewhere("a", "4a")}, "ann"), 0);
  EXPECT_EQ(database_.value("SELECT string_agg(event_type || device_id, ' ' ORDER BY id) FROM ota_events"),
            "certificate_adopteda certificate_adoptedb");
  EXPECT_EQ(certificates_.revoke({"a", {}, "ann", ""})->certificates, 1);
  EXPECT_EQ(certificates_.is_revoked("x", "4a"), true);
  EXPECT_EQ(certificates_.is_revoked("x", "4b"), false);
  EXPECT_EQ(updates_.find_revoked({"4a", "4b", "4c"}), std::set<std::string>{"4a"});
}

TEST_F(IdentityCuts, ThoseOfARevokedDeviceAreRevokedAtOnce) {
  ASSERT_TRUE(certificates_.revoke({"a", {}, "ann", ""}));
  carry_out_cuts();
  ASSERT_EQ(certificates_.adopt({elsewhere("a", "4a")}, "ann"), 1);
  ASSERT_EQ(revocations_.revoked()->size(), 1U);
  EXPECT_EQ(revocations_.uncut(100)->size(), 1U);
}

}  // namespace
}  // namespace ota::sql_test
