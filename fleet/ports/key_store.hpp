#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fleet/admin_key.hpp"
#include "fleet/expected.hpp"
#include "fleet/time.hpp"

namespace ota::fleet {

struct NewKey {
  std::string name;
  KeyRole role = KeyRole::viewer;
  KeyDigest digest{};
  std::optional<Time> expires_at;
  std::string by;
};

/// A key as admins see it. Times are ISO 8601 with offset; empty for none.
struct KeyRow {
  std::string name;
  std::string role;
  std::string created_at;
  std::string created_by;
  std::string expires_at;
  std::string revoked_at;
  std::string last_used_at;  ///< to the minute, or so
};

/// Keys of the admin routes, for admins. Thread safe; `unavailable` when the database is away or no
/// connection came free in time.
class KeyStore {
 public:
  virtual ~KeyStore() = default;
  /// With its key_created event. `conflict` when the name is or was a key's, or there are kKeysMax already.
  [[nodiscard]] virtual Expected<void> add_key(const NewKey& key) = 0;
  /// Those that are not revoked first, the newest of each first.
  [[nodiscard]] virtual Expected<std::vector<KeyRow>> list_keys(int count_max) = 0;
  /// For good, with its key_revoked event. `not_found`; revoking twice changes nothing.
  [[nodiscard]] virtual Expected<void> revoke_key(const std::string& name, const std::string& by) = 0;
};

/// What the ring of keys is made from. Thread safe.
class KeyRingStore {
 public:
  virtual ~KeyRingStore() = default;
  /// All that are not revoked, at most kKeysMax.
  [[nodiscard]] virtual Expected<KeyRing> load_keys() = 0;
  /// When each key of that name was last used; never moves back.
  [[nodiscard]] virtual Expected<void> note_used(const std::map<std::string, Time>& used) = 0;
};

/// The keys as this process knows them, without asking the database. Thread safe.
class KeySource {
 public:
  virtual ~KeySource() = default;
  /// nullptr: the database has not been read yet.
  [[nodiscard]] virtual std::shared_ptr<const KeyRing> keys() const = 0;
  /// Notes that a key was used; written later.
  virtual void note_used(const std::string& name, Time at) = 0;
};

}  // namespace ota::fleet
