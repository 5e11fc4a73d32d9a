#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/json_value.hpp"
#include "fleet/rollout_policy.hpp"
#include "fleet/rollout_states.hpp"
#include "fleet/time.hpp"

namespace ota::fleet {

/// A firmware image of one model at one version, as stored in firmware_releases.
struct Release {
  std::int64_t id = 0;
  std::string version;
  std::string model;
  std::optional<std::string> min_version;  ///< a device below it takes another release first
  std::int64_t size_bytes = 0;
  std::string sha256;  ///< lower-case hex
  std::string notes;
  Time created_at{};
  bool withdrawn = false;
  std::string manifest;       ///< signed text (fleet/manifest.hpp); empty: none
  std::int64_t sequence = 0;  ///< the manifest's; 0: none
  bool aborted = false;       ///< its newest rollout was aborted or rolled back: no step on anyone's way
};

enum class TargetType { all, canary, specific, group };

/// Who a rollout is for (contract section 2). Lists are as the admin wrote them; ids compare exactly, MACs in
/// canonical form.
struct Target {
  TargetType type = TargetType::all;
  int percentage = 100;  ///< 0..100; does not apply to `specific`
  std::string salt;      ///< empty: the documented hash of the device id alone
  std::vector<std::string> device_ids;
  std::vector<std::string> mac_addresses;
  std::vector<std::string> groups;
  std::vector<std::string> exclude_device_ids;
  std::optional<JsonValue> metadata;  ///< must be contained in the device's metadata
};

struct Rollout {
  std::int64_t id = 0;
  std::string name;
  std::string version;
  std::string model;
  RolloutState state = RolloutState::running;
  Target target;
  bool allow_downgrade = false;
  RolloutPolicy policy;
  int stage = 0;  ///< index into policy.stages
  Time stage_entered_at{};
  std::optional<Time> acknowledged_at;  ///< abort criteria look at what ended after it
  /// The rollout whose devices this one takes back to the version they came from (then the target does not
  /// apply); 0: none.
  std::int64_t rolls_back = 0;
};

/// SHA-256 of a text, big endian as usual. A port, so that the domain stays free of libraries.
using Sha256 = std::array<std::uint8_t, 32> (*)(std::string_view text);

/// What holds for the whole fleet.
struct FleetRules {
  bool frozen = false;       ///< an admin has stopped everything
  bool signed_only = false;  ///< releases without a verified manifest are offered to nobody
  /// Of the rows that a snapshot is made of: rises with each change of releases, rollouts or these rules.
  std::int64_t revision = 0;
};

/// An immutable snapshot of what may be offered to whom, shared between threads. Built from the rows of
/// firmware_releases and rollout_configurations; looking things up allocates nothing.
class Catalog {
 public:
  Catalog() = default;
  /// `rollouts` may come in any order and may name releases that do not exist; those are passed over
  /// (contract section 2: "with an existing, not withdrawn release"). Ended ones are for the caller to leave
  /// out.
  Catalog(std::vector<Release> releases, std::vector<Rollout> rollouts, FleetRules rules = {});

  /// The same releases with one more rollout, as a trial.
  [[nodiscard]] Catalog with(Rollout rollout) const;

  struct Candidate {
    const Rollout* rollout = nullptr;
    const Release* release = nullptr;
  };

  /// Whether an admin has stopped everything: nothing new is offered to anyone.
  [[nodiscard]] bool is_frozen() const { return rules_.frozen; }
  /// Whether the fleet's rules let `release` be offered to anyone: it has a manifest, or need not have one.
  [[nodiscard]] bool may_offer(const Release& release) const {
    return !rules_.signed_only || !release.manifest.empty();
  }
  /// As FleetRules::revision; 0: not known.
  [[nodiscard]] std::int64_t revision() const { return rules_.revision; }
  /// All of them, scheduled ones too; never null.
  [[nodiscard]] const std::vector<Rollout>& rollouts() const;
  /// The model's rollouts that have started, newest (highest id) first.
  [[nodiscard]] const std::vector<Candidate>& candidates(std::string_view model) const;
  /// The model's releases that are not withdrawn, in ascending order of version.
  [[nodiscard]] const std::vector<const Release*>& releases_of(std::string_view model) const;
  [[nodiscard]] const Release* find_release(std::string_view model, std::string_view version) const;
  /// The same among all of the model's releases, withdrawn ones too: what a device may run, or have begun.
  [[nodiscard]] const Release* find_known(std::string_view model, std::string_view version) const;
  [[nodiscard]] const Release* find_release(std::int64_t id) const;
  [[nodiscard]] const Rollout* find_rollout(std::int64_t id) const;
  /// The latest version of a model (contract section 1): the highest semantic one; if none is semantic, the
  /// newest upload.
  [[nodiscard]] const Release* latest(std::string_view model) const;
  /// Whether that version exists for more than one model, so that a download URL has to name the model.
  [[nodiscard]] bool is_ambiguous(std::string_view version) const;

 private:
  struct ModelEntry {
    std::vector<Candidate> candidates;
    std::vector<const Release*> releases;
    std::vector<const Release*> withdrawn;
  };

  // Shared and const: a copied catalog keeps pointing into the same rows.
  std::shared_ptr<const std::vector<Release>> releases_;
  std::shared_ptr<const std::vector<Rollout>> rollouts_;
  std::map<std::string, ModelEntry, std::less<>> models_;
  std::map<std::string, int, std::less<>> models_per_version_;
  std::map<std::int64_t, const Release*> release_by_id_;
  std::map<std::int64_t, const Rollout*> rollout_by_id_;
  FleetRules rules_;
};

/// Whether `left` comes before `right`: precedence where both are semantic, else upload time where both are
/// known. nullopt when neither tells. Either release may be null when only the version text is known.
struct VersionPoint {
  std::string_view version;
  const Release* release = nullptr;
};
[[nodiscard]] std::optional<bool> comes_before(const VersionPoint& left, const VersionPoint& right);

}  // namespace ota::fleet
