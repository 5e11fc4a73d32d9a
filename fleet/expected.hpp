#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace ota::fleet {

/// What the caller can do about an error; the adapters map library exceptions to these once.
enum class ErrorKind {
  invalid,       ///< the input is wrong; the same input will always be wrong (422)
  malformed,     ///< the input cannot be read at all (400)
  unauthorized,  ///< nobody showed who asks, or not rightly (401)
  forbidden,     ///< who asks may not have it (403)
  not_found,     ///< nothing by that name (404)
  conflict,      ///< contradicts what is stored (409)
  too_large,     ///< beyond a documented limit (413)
  too_slow,      ///< the client did not send in time (408)
  unavailable,   ///< a dependency is away; try again later (503)
  storage_full,  ///< no room to store it; nothing was changed (507)
  in_doubt,      ///< the commit may or may not have happened; never retry blindly
  internal,      ///< a bug or an unexpected answer of a library (500)
};

/// A failure with a sentence for the person who reads it. `message` says what was wrong and what would be
/// right.
struct Error {
  ErrorKind kind = ErrorKind::internal;
  std::string message;
  /// What strangers read instead where `message` names hosts and paths of ours; empty: `message`.
  std::string outside = {};
  /// `unavailable` because somebody keeps a row or table locked for too long: other rows may fare better.
  bool met_lock = false;

  /// The same error seen from further up: "context: message".
  [[nodiscard]] Error with_context(const std::string& context) const {
    return {kind, context + ": " + message, outside, met_lock};
  }
};

template <class T>
using Expected = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorKind kind, std::string message) {
  return tl::unexpected<Error>(Error{kind, std::move(message)});
}

}  // namespace ota::fleet
