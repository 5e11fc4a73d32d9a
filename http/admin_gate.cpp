#include "http/admin_gate.hpp"

#include <spdlog/spdlog.h>

#include <chrono>

#include "fleet/iso_time.hpp"
#include "http/replies.hpp"

namespace ota::http {
namespace {

using Clock = std::chrono::steady_clock;

tl::unexpected<Response> refuse(int status, const std::string& why) {
  return tl::unexpected(error_reply(status, why));
}

tl::unexpected<Response> refuse_for(std::chrono::seconds wait) {
  const auto seconds = std::to_string(wait.count());
  return tl::unexpected(error_reply(
      429, "too many wrong keys came from your address; try again in " + seconds + " s", seconds));
}

}  // namespace

AdminGate::AdminGate(const ServerOptions& options, const Ports& ports)
    : ports_(ports), has_root_(!options.api_key.empty()), root_digest_(ports.sha256(options.api_key)) {}

tl::expected<std::string, Response> AdminGate::admit(const Request& request, const fleet::IpAddress& client,
                                                     fleet::KeyRole needed) {
  const auto ring = ports_.key_ring.keys();
  if (!has_root_ && ring && ring->empty()) return refuse(503, "API key not configured");
  const auto key = request.header("X-API-Key");
  if (!key || key->empty()) return refuse(401, "send the admin's key in one X-API-Key header");
  if (const auto wait = wrong_keys_.wait_of(client, Clock::now()); wait.count() > 0) return refuse_for(wait);
  auto verdict = judge(*key, ring.get(), needed);
  if (!verdict && verdict.error().status == 401) note_wrong(client);
  return verdict;
}

tl::expected<std::string, Response> AdminGate::judge(std::string_view text, const fleet::KeyRing* ring,
                                                     fleet::KeyRole needed) {
  const auto digest = ports_.sha256(text);
  if (has_root_ && fleet::same_digest(digest, root_digest_)) return kRootActor;
  if (ring == nullptr) return refuse(503, "the admin keys cannot be read yet; try again in a moment");
  const auto* key = ring->find(digest);
  if (key == nullptr) return refuse(401, "the key in X-API-Key is wrong or was revoked");
  const auto now = ports_.now();
  if (key->expires_at && *key->expires_at <= now) {
    return refuse(401, "the key " + key->name + " expired at " + fleet::to_iso(*key->expires_at) +
                           "; ask for a new one");
  }
  if (!fleet::allows(key->role, needed)) {
    return refuse(403, "this needs a key of the role " + fleet::roles_that_allow(needed) + "; the key " +
                           key->name + " has the role " + std::string(to_string(key->role)));
  }
  ports_.key_ring.note_used(key->name, now);
  return key->name;
}

void AdminGate::note_wrong(const fleet::IpAddress& client) {
  const auto wait = wrong_keys_.note(client, Clock::now());
  if (wait.count() == 0) return;
  spdlog::warn("http: too many wrong admin keys from {}; its keys are passed over for {} s",
               to_string(fleet::subscriber_of(client)), wait.count());
}

}  // namespace ota::http
