#include "sql/conninfo.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "sql/monitor_store.hpp"
#include "sql/session.hpp"

namespace ota::sql_test {
namespace {

class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

TEST(DatabaseSettings, WhatLibpqWouldNeverTakeIsSaidAtOnce) {
  for (const auto& [name, value] :
       {std::pair{"PGPORT", "54x"}, std::pair{"PGPORT", "0"}, std::pair{"PGPORT", "5432,70000"},
        std::pair{"PGCONNECT_TIMEOUT", "soon"}, std::pair{"PGSSLMODE", "sometimes"},
        std::pair{"PGTARGETSESSIONATTRS", "any-thing"}}) {
    const Variable bad(name, value);
    const auto tested = sql::test_database_settings();
    ASSERT_FALSE(tested) << name;
    EXPECT_EQ(tested.error().kind, fleet::ErrorKind::invalid);
    EXPECT_NE(tested.error().message.find(value), std::string::npos) << tested.error().message;
  }
}

TEST(DatabaseSettings, AServerThatIsAwayIsNoReasonToRefuse) {
  EXPECT_TRUE(sql::test_database_settings());
  const Variable host("PGHOST", "192.0.2.1,nowhere.invalid");
  const Variable ports("PGPORT", "5432,5433");
  EXPECT_TRUE(sql::test_database_settings()) << "and nobody waited for it";
}

TEST(DatabaseSettings, WhereTheDatabaseLivesIsNotForStrangers) {
  sql::Session session({"host=/nowhere/at/all"});
  for (int i = 0; i < 2; ++i) {  // the second time it is not even tried
    const auto asked = session.run([](sql::Session& s) { return s.connection().is_open(); });
    ASSERT_FALSE(asked);
    EXPECT_NE(asked.error().message.find("/nowhere"), std::string::npos) << asked.error().message;
    EXPECT_EQ(asked.error().outside, "the database does not answer; try again");
  }
}

}  // namespace
}  // namespace ota::sql_test
