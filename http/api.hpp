#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/messages.hpp"
#include "fleet/survey.hpp"
#include "http/admin_gate.hpp"
#include "http/exchange.hpp"
#include "http/release_index.hpp"
#include "http/server.hpp"
#include "http/wrong_keys.hpp"

namespace ota::http {

/// The handlers of the route table: each reads a request, asks a port and answers. Thread safe. No handler
/// knows the HTTP library.
class Api {
 public:
  Api(const ServerOptions& options, const Ports& ports);

  // Devices (device_routes.cpp, download.cpp).
  Response check(Request& request);
  Response report(Request& request);
  Response download(Request& request);
  Response manifest(Request& request);

  // Admins: releases and lists (admin_routes.cpp, upload.cpp).
  Response upload(Request& request);
  Response add_manifest(Request& request);
  Response list_releases(Request& request);
  Response withdraw_release(Request& request);
  Response delete_release(Request& request);
  Response list_devices(Request& request);
  Response list_updates(Request& request);
  Response list_events(Request& request);
  Response freeze(Request& request);
  Response unfreeze(Request& request);

  // Admins: rollouts (rollout_routes.cpp, rollout_plan.cpp).
  Response create_rollout(Request& request);
  Response simulate_rollout(Request& request);
  Response list_rollouts(Request& request);
  Response show_rollout(Request& request);
  Response patch_rollout(Request& request);
  Response pause_rollout(Request& request);
  Response resume_rollout(Request& request);
  Response abort_rollout(Request& request);
  Response roll_back_rollout(Request& request);
  Response deactivate_rollout(Request& request);
  Response retry_rollout(Request& request);

  // Admins: single devices and groups (device_admin_routes.cpp).
  Response show_device(Request& request);
  Response explain_device(Request& request);
  Response patch_device(Request& request);
  Response delete_device(Request& request);
  Response offer_to_device(Request& request);
  Response change_group(Request& request);

  // Admins: keys (key_routes.cpp).
  Response list_keys(Request& request);
  Response create_key(Request& request);
  Response revoke_key(Request& request);
  // Admins: devices' tokens (device_token_routes.cpp).
  Response issue_token(Request& request);
  Response revoke_token(Request& request);

  // Admins: devices' identities (certificate_routes.cpp, enrolment_routes.cpp).
  Response issue_certificate(Request& request);
  Response replace_device(Request& request);
  Response list_certificates(Request& request);
  Response adopt_certificates(Request& request);
  Response revoke_device(Request& request);
  Response reinstate_device(Request& request);
  Response create_enrolment_token(Request& request);
  Response list_enrolment_tokens(Request& request);
  Response revoke_enrolment_token(Request& request);

  // Devices: their own (enrolment_routes.cpp).
  Response enrol(Request& request);
  Response renew(Request& request);

  // Monitors (monitor_routes.cpp).
  Response health(Request& request);
  Response metrics(Request& request);
  Response revocation_list(Request& request);

  /// Asks for a key where the route needs one.
  [[nodiscard]] AdminGate& gate() { return gate_; }

 private:
  using Encode = std::function<Response(const fleet::Answer& answer)>;
  /// The answer to a device's message that cannot be taken; it is counted.
  [[nodiscard]] Response refuse_message(const char* kind, const fleet::Error& error) const;
  /// Hands a device's message in; it is answered after its commit.
  Response submit(Request& request, fleet::Message message, Encode encode);
  struct ReleaseName {
    std::string version;
    std::string model;
  };
  [[nodiscard]] fleet::Expected<ReleaseName> find_release(const Request& request) const;
  /// nullopt when the request may load that image, else the answer.
  [[nodiscard]] std::optional<Response> refuse_download(const Request& request, const std::string& version,
                                                        const std::string& model);
  [[nodiscard]] fleet::Expected<void> judge_ticket(const Request& request, const std::string& version,
                                                   const std::string& model) const;
  [[nodiscard]] fleet::Expected<void> judge_standing(const std::string& device_id,
                                                     const std::string& serial) const;
  [[nodiscard]] fleet::Expected<void> judge_loading_device(const Request& request) const;
  [[nodiscard]] fleet::Expected<fleet::Manifest> read_manifest(const std::string& text) const;
  [[nodiscard]] fleet::Expected<void> adopt_manifest(const std::string& text,
                                                     fleet::NewRelease& release) const;
  [[nodiscard]] fleet::Expected<void> inspect(fleet::NewRelease& release, bool force) const;
  [[nodiscard]] bool is_stored(const fleet::NewRelease& release) const;
  /// Has the devices decided anew, at most ten thousand of them; nobody waits for it.
  void settle(const std::vector<std::string>& device_ids);
  Response order(Request& request, fleet::RolloutCommand command, std::string_view message);
  /// `unavailable` where this bridge has no issuing key.
  [[nodiscard]] fleet::Expected<const fleet::DeviceAuthority*> authority() const;
  [[nodiscard]] std::optional<RevocationHealth> revocation_health() const;
  Response issue_to(Request& request, fleet::Issuance issuance);
  Response set_frozen(Request& request, bool frozen);
  struct Plan {
    fleet::NewRollout rollout;
    std::vector<std::string> warnings;  ///< what an admin should know before starting it
    bool release_known = false;         ///< whether this bridge's catalog has its release
  };
  using ReadRollout = fleet::Expected<fleet::NewRollout> (*)(const fleet::JsonValue& body);
  /// The rollout of a request's body; `invalid` also when no device could ever get there.
  [[nodiscard]] fleet::Expected<Plan> read_plan(const Request& request, ReadRollout read) const;
  /// `conflict` where only signed releases are offered and that one has no manifest.
  [[nodiscard]] fleet::Expected<void> test_signed(const std::string& model, const std::string& version) const;
  [[nodiscard]] fleet::Expected<void> test_zones(const fleet::RolloutPolicy& policy) const;
  [[nodiscard]] fleet::Expected<fleet::Survey> survey_of(const fleet::NewRollout& rollout,
                                                         bool until_included) const;
  [[nodiscard]] fleet::Circumstances circumstances() const {
    return {ports_.sha256, ports_.now(), ports_.local_clock};
  }

  const ServerOptions options_;
  const Ports ports_;
  ReleaseIndex index_;
  AdminGate gate_;
  WrongKeys wrong_tokens_;       // of devices that enrol
  std::atomic<int> uploads_{0};  // under way
};

}  // namespace ota::http
