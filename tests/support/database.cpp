#include "tests/support/database.hpp"

#include <optional>
#include <pqxx/pqxx>

namespace ota::test_support {

struct Database::State {
  explicit State(const std::string& conninfo) : connection(conninfo) {}
  pqxx::connection connection;
  std::optional<pqxx::work> open;
};

Database::Database(const Stack& stack) : state_(std::make_unique<State>(stack.owner_conninfo())) {}
Database::~Database() = default;

std::string Database::value(const std::string& sql) {
  const auto first = [](const pqxx::result& rows) {
    return rows.empty() || rows[0].size() == 0 || rows[0][0].is_null() ? std::string()
                                                                       : std::string(rows[0][0].c_str());
  };
  if (state_->open) return first(state_->open->exec(sql));
  pqxx::nontransaction now(state_->connection);
  return first(now.exec(sql));
}

void Database::begin(const std::string& sql) {
  state_->open.emplace(state_->connection);
  state_->open->exec(sql);
}

void Database::end() {
  state_->open->commit();
  state_->open.reset();
}

}  // namespace ota::test_support
