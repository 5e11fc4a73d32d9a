#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "sql/push_store.hpp"
#include "sql/update_store.hpp"
#include "tests/sql/fixture.hpp"

namespace ota::sql_test {
namespace {

/// Several writers (as of several bridges) and the leader work on the same devices at once.
class Concurrency : public testing::Test {
 protected:
  std::vector<fleet::Contact> random_batch(std::mt19937& random) {
    std::set<std::string> ids;
    while (ids.size() < 20) {
      // Upper and lower case: byte order and a language's order differ.
      ids.insert((random() % 2 == 0 ? "dev-" : "DEV-") + std::to_string(random() % 40));
    }
    std::vector<fleet::Contact> batch;
    for (const auto& id : ids) {
      batch.push_back(random() % 4 == 0 ? presence_of(id, random() % 2 == 0) : check_of(id));
    }
    return batch;
  }

  // Each batch raises the revision of every device it holds by one.
  void write(unsigned seed, int batches) {
    sql::PgUpdateStore store(database_.service());
    std::mt19937 random(seed);
    for (int i = 0; i < batches; ++i) {
      const auto devices = store.begin(random_batch(random));
      if (!devices) {
        note(devices.error());
        continue;
      }
      fleet::BatchChanges changes;
      for (const auto& device : *devices) {
        if (device.model.empty()) continue;
        changes.offers.push_back({device.id, raised(device), now()});
      }
      const auto raised_now = changes.offers.size();
      const auto committed = store.commit(changes);
      if (!committed) note(committed.error());
      if (committed) raised_ += raised_now;
    }
  }

  void push(int rounds) {
    sql::PgPushStore store(database_.service());
    for (int i = 0; i < rounds; ++i) {
      std::string after;
      for (;;) {
        const auto page = store.load_page("esp32", after, 10);
        if (!page || page->empty()) {
          if (!page) note(page.error());
          (void)store.save_page({});
          break;
        }
        fleet::BatchChanges changes;
        for (const auto& device : *page) changes.offers.push_back({device.id, raised(device), now()});
        const auto saved = store.save_page(changes);
        if (!saved) note(saved.error());
        if (saved) raised_ += changes.offers.size();
        after = page->back().id;
      }
      const auto wanted = store.unpublished(now() + std::chrono::hours(1), "", 15);
      if (!wanted) {
        note(wanted.error());
        continue;
      }
      std::vector<fleet::PublishedOffer> published;
      for (const auto& one : *wanted) published.push_back({one.device_id, one.offer.wanted_revision});
      const auto marked = store.mark_published(published);
      if (!marked) note(marked.error());
    }
  }

  static fleet::Offer raised(const fleet::Device& device) {
    auto offer = device.offer.value_or(fleet::Offer{});
    ++offer.wanted_revision;
    offer.version = "1.1.0";
    return offer;
  }

  void note(const fleet::Error& error) {
    ++errors_;
    ADD_FAILURE() << error.message;
  }

  TestDatabase database_;
  std::atomic<std::size_t> raised_{0};
  std::atomic<int> errors_{0};
};

TEST_F(Concurrency, OverlappingBatchesNeitherDeadlockNorLoseEachOthersChanges) {
  std::vector<std::thread> threads;
  for (unsigned seed = 1; seed <= 4; ++seed) threads.emplace_back([this, seed] { write(seed, 60); });
  threads.emplace_back([this] { push(20); });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(errors_, 0);
  EXPECT_EQ(database_.value("SELECT sum(wanted_revision) FROM offers"), std::to_string(raised_));
}

}  // namespace
}  // namespace ota::sql_test
