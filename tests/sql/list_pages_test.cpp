#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "sql/admin_store.hpp"
#include "tests/sql/fixture.hpp"
#include "tests/support/eventually.hpp"

namespace ota::sql_test {
namespace {

class Pages : public testing::Test {
 protected:
  template <class Row>
  using Reader = std::function<fleet::Expected<fleet::Page<Row>>(const fleet::PageWanted&)>;

  /// All rows of a list, page by page, through the text that clients hand back.
  template <class Row>
  static std::vector<Row> walk(fleet::List list, int count_max, const Reader<Row>& read) {
    std::vector<Row> all;
    fleet::PageWanted wanted{count_max};
    for (int pages = 0; pages < 10'000; ++pages) {
      auto page = read(wanted);
      if (!page) {
        ADD_FAILURE() << page.error().message;
        return all;
      }
      EXPECT_LE(page->rows.size(), static_cast<std::size_t>(count_max));
      all.insert(all.end(), page->rows.begin(), page->rows.end());
      if (!page->next) return all;
      wanted.after = fleet::parse_list_cursor(to_text(*page->next, list), list).value();
    }
    ADD_FAILURE() << "the list does not end";
    return all;
  }

  std::vector<fleet::DeviceRow> walk_devices(const std::string& model, int count_max) {
    return walk<fleet::DeviceRow>(fleet::List::devices, count_max, [&](const fleet::PageWanted& wanted) {
      return reader_.list_devices(model, wanted);
    });
  }
  std::vector<fleet::UpdateRow> walk_updates(const std::string& device, const std::string& version,
                                             int count_max) {
    return walk<fleet::UpdateRow>(fleet::List::updates, count_max, [&](const fleet::PageWanted& wanted) {
      return reader_.list_updates(device, version, wanted);
    });
  }
  std::vector<fleet::ReleaseRow> walk_releases(const std::string& model, int count_max) {
    return walk<fleet::ReleaseRow>(fleet::List::releases, count_max, [&](const fleet::PageWanted& wanted) {
      return releases_.list_releases(model, wanted);
    });
  }

  template <class Row>
  static std::size_t distinct(const std::vector<Row>& rows, std::string Row::*name) {
    std::set<std::string> names;
    for (const auto& row : rows) names.insert(row.*name);
    return names.size();
  }
  template <class Row>
  static void expect_newest_first(const std::vector<Row>& rows, std::string Row::*time) {
    for (std::size_t i = 1; i < rows.size(); ++i) EXPECT_GE(rows[i - 1].*time, rows[i].*time) << i;
  }

  TestDatabase database_;
  sql::ConnectionPool pool_{database_.service(), 2};
  sql::PgReleaseStore releases_{pool_};
  sql::PgFleetReader reader_{pool_};
};

// A third of the times stand three times, some fall into one cut of ten seconds, some rows have none.
TEST_F(Pages, OfDevicesMeetEachOnceLastSeenFirst) {
  database_.value(
      "INSERT INTO devices (device_id, device_model, last_seen) SELECT 'd' || g, 'm' || g % 2, "
      "CASE WHEN g > 990 THEN NULL ELSE '2026-01-31 12:00:00+00'::timestamptz "
      "- (hashint4(g / 3) % 1000) * interval '1.7 seconds' END FROM generate_series(1, 1000) g");
  for (const int count_max : {1, 7, 500}) {
    const auto all = walk_devices("", count_max);
    EXPECT_EQ(all.size(), 1000U) << count_max;
    EXPECT_EQ(distinct(all, &fleet::DeviceRow::device_id), 1000U) << count_max;
    expect_newest_first(all, &fleet::DeviceRow::last_seen);
  }
  const auto of_model = walk_devices("m1", 7);
  EXPECT_EQ(of_model.size(), 500U);
  EXPECT_EQ(distinct(of_model, &fleet::DeviceRow::device_id), 500U);
}

TEST_F(Pages, MeetEachOnceWhereTheWholeFleetWasSeenInTheSameMoment) {
  database_.value(
      "INSERT INTO devices (device_id, device_model, last_seen) SELECT 'd' || g, 'm', "
      "'2026-01-31 12:00:00+00'::timestamptz + hashint4(g) % 10000 * interval '0.5 milliseconds' "
      "FROM generate_series(1, 45000) g");
  const auto all = walk_devices("m", 500);
  EXPECT_EQ(all.size(), 45'000U);
  EXPECT_EQ(distinct(all, &fleet::DeviceRow::device_id), 45'000U);
}

TEST_F(Pages, WhoIsHeardMeanwhileTakesNobodysPlace) {
  database_.value(
      "INSERT INTO devices (device_id, device_model, last_seen) SELECT 'd' || g, 'm', "
      "'2026-01-31 12:00:00+00'::timestamptz + hashint4(g) % 10000 * interval '0.5 milliseconds' "
      "FROM generate_series(1, 30000) g");
  std::set<std::string> met;
  fleet::PageWanted wanted{500};
  int twice = 0;
  while (true) {
    const auto page = reader_.list_devices("", wanted).value();
    for (const auto& row : page.rows) twice += met.insert(row.device_id).second ? 0 : 1;
    if (!page.next) break;
    wanted.after = *page.next;
    database_.value("UPDATE devices SET last_seen = now() WHERE device_id = '" + page.rows[0].device_id +
                    "' OR id = " + std::to_string(page.next->bottom + 1));
  }
  EXPECT_EQ(twice, 0);
  for (const auto& row : walk_devices("", 500)) {
    const bool stayed = row.last_seen < "2026-02";
    EXPECT_TRUE(!stayed || met.count(row.device_id) == 1) << row.device_id;
  }
}

TEST_F(Pages, OfUpdatesMeetEachOnceByEachFilter) {
  database_.value(
      "INSERT INTO device_update_status (device_id, firmware_version, status, error_message, reported_at) "
      "SELECT 'd' || g % 3, '1.' || g % 2, 'pending', g, "
      "'2026-01-31 12:00:00+00'::timestamptz - g / 5 * interval '1 second' FROM generate_series(1, 600) g");
  const auto expect = [&](const char* device, const char* version, std::size_t count) {
    const auto all = walk_updates(device, version, 7);
    EXPECT_EQ(all.size(), count) << device << version;
    EXPECT_EQ(distinct(all, &fleet::UpdateRow::error), count) << device << version;
    expect_newest_first(all, &fleet::UpdateRow::reported_at);
  };
  expect("", "", 600);
  expect("d1", "", 200);
  expect("", "1.1", 300);
  expect("d1", "1.1", 100);
}

TEST_F(Pages, OfReleasesMeetEachOnceNewestFirst) {
  database_.value(
      "INSERT INTO firmware_releases (version, device_model, file_path, file_size, checksum_sha256, "
      "created_at) SELECT '1.' || g, 'm' || g % 2, 'x', 1, 'aa', CASE g WHEN 7 THEN 'infinity' WHEN 8 THEN "
      "'-infinity' ELSE '2026-01-31 12:00:00.25+00'::timestamptz - g / 4 * interval '3 seconds' END "
      "FROM generate_series(1, 150) g");
  for (const int count_max : {1, 7, 100}) {
    const auto all = walk_releases("", count_max);
    EXPECT_EQ(all.size(), 150U) << count_max;
    EXPECT_EQ(distinct(all, &fleet::ReleaseRow::version), 150U) << count_max;
    EXPECT_EQ(all.front().version, "1.7");
    EXPECT_EQ(all.back().version, "1.8");
  }
  EXPECT_EQ(distinct(walk_releases("m1", 7), &fleet::ReleaseRow::version), 75U);
}

// The plans, not the clock: what PostgreSQL counted.
TEST_F(Pages, ADeepOneReadsNoMoreOfAnIndexThanItShows) {
  database_.value(
      "INSERT INTO devices (device_id, device_model, last_seen) SELECT 'd' || g, 'm' || g % 2, "
      "'2026-01-31 12:00:00+00'::timestamptz - g * interval '1 second' FROM generate_series(1, 100000) g");
  database_.value(
      "INSERT INTO device_update_status (device_id, firmware_version, status, reported_at) SELECT 'd' || g, "
      "'1.' || g % 2, 'success', '2026-01-31 12:00:00+00'::timestamptz - g * interval '1 second' "
      "FROM generate_series(1, 100000) g");
  database_.value("ANALYZE devices, device_update_status");
  fleet::PageWanted middle{100};
  middle.after.cut = std::stoll(database_.value(
      "SELECT (extract(epoch FROM last_seen_cut) / 10)::bigint FROM devices WHERE device_id = 'd50000'"));
  middle.after.top = fleet::ListCursor::Limits::max();
  middle.after.bottom = fleet::ListCursor::Limits::min();
  {
    sql::ConnectionPool pool(database_.service(), 1);  // its figures are complete once it has gone
    sql::PgFleetReader reader(pool);
    EXPECT_EQ(reader.list_devices("", middle)->rows.size(), 100U);
    EXPECT_EQ(reader.list_devices("m1", middle)->rows.size(), 100U);
    EXPECT_EQ(reader.list_updates("", "", middle)->rows.size(), 100U);
    EXPECT_EQ(reader.list_updates("", "1.1", middle)->rows.size(), 100U);
  }
  const std::string of_both = " WHERE relname IN ('devices', 'device_update_status')";
  EXPECT_TRUE(test_support::eventually([&] {
    return database_.value("SELECT sum(idx_tup_read) > 0 FROM pg_stat_user_indexes" + of_both) == "t";
  }));
  EXPECT_EQ(database_.value("SELECT sum(idx_tup_read) < 1500 FROM pg_stat_user_indexes" + of_both), "t")
      << database_.value("SELECT sum(idx_tup_read) FROM pg_stat_user_indexes" + of_both);
  EXPECT_EQ(database_.value("SELECT sum(seq_scan) FROM pg_stat_user_tables" + of_both), "0");
}

TEST_F(Pages, TimesOfAnyYearHaveTheirPlace) {
  database_.value(
      "INSERT INTO devices (device_id, device_model, last_seen) VALUES ('a', 'm', '4000-01-01 BC'), "
      "('b', 'm', '290000-05-05 05:05:05.123457+00'), ('c', 'm', '290000-05-05 05:05:05.123456+00'), "
      "('d', 'm', 'infinity'), ('e', 'm', '-infinity'), ('f', 'm', NULL), ('g', 'm', '1969-12-31 "
      "23:59:59.5+00')");
  std::string order;
  for (const auto& row : walk_devices("", 1)) order += row.device_id;
  EXPECT_EQ(order, "dbcgafe");
}

}  // namespace
}  // namespace ota::sql_test
