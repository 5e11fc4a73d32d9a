#pragma once

#include <exception>
#include <string>

#include "fleet/expected.hpp"

namespace ota::sql {

/// Thrown inside an adapter to end a piece of work with this error (and its transaction with a rollback).
class Refusal : public std::exception {
 public:
  Refusal(fleet::ErrorKind kind, std::string message) : error_{kind, std::move(message)} {}
  explicit Refusal(fleet::Error error) : error_(std::move(error)) {}
  [[nodiscard]] const fleet::Error& error() const { return error_; }
  [[nodiscard]] const char* what() const noexcept override { return error_.message.c_str(); }

 private:
  fleet::Error error_;
};

/// What went wrong, and whether the connection is of no more use.
struct Failure {
  fleet::Error error;
  bool connection_lost = false;
};

/// For strangers, where the whole message names the database's host, socket or role.
inline constexpr char kAwayForStrangers[] = "the database does not answer; try again";

/// The one place where exceptions of libpqxx (and of PostgreSQL, by SQLSTATE) become our errors. Call it
/// inside a catch block.
[[nodiscard]] Failure failure_of_current_exception();

/// What the caller can do about a PostgreSQL error (appendix A, "PostgreSQL Error Codes").
[[nodiscard]] fleet::ErrorKind kind_of_sqlstate(const std::string& sqlstate);

/// Whether that error means that another connection may fare better: the server goes down or is a standby.
[[nodiscard]] bool is_fatal_sqlstate(const std::string& sqlstate);

}  // namespace ota::sql
