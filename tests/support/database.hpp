#pragma once

#include <memory>
#include <string>

#include "tests/support/stack.hpp"

namespace ota::test_support {

/// SQL as the database's owner. Not thread safe.
class Database {
 public:
  explicit Database(const Stack& stack);
  ~Database();

  /// The first column of the first row as text; empty when there is none or it is NULL. In autocommit, or
  /// inside begin().
  std::string value(const std::string& sql);
  /// Runs `sql` inside a transaction that stays open until end().
  void begin(const std::string& sql);
  void end();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ota::test_support
