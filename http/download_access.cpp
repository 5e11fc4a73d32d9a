// Who may load an image, by DEVICE_AUTH and whether there is a key for tickets (DOWNLOAD_KEY_FILE):
//
//   DEVICE_AUTH   without a key                        with a key
//   open          everybody                            a ticket, or an admin
//   token, mtls   a device by its proof, or an admin   a ticket, a device by its proof, or an admin
#include <limits>

#include "fleet/ids.hpp"
#include "http/api.hpp"
#include "http/device_identity.hpp"
#include "http/params.hpp"
#include "http/range.hpp"
#include "http/replies.hpp"

namespace ota::http {
namespace {

using fleet::DeviceAuth;
using fleet::ErrorKind;
using fleet::Expected;

// Whether the request asks for the rest of an image that it holds the beginning of.
bool is_continuation(const Request& request) {
  const auto header = request.header("Range");
  ByteRange range;
  return header && request.method == "GET" && !request.header("If-Range") &&
         parse_range(*header, std::numeric_limits<std::size_t>::max(), range) == RangeOutcome::part &&
         range.offset > 0 && header->find("=-") == std::string_view::npos;
}

}  // namespace

Expected<void> Api::judge_ticket(const Request& request, const std::string& version,
                                 const std::string& model) const {
  const auto& params = *request.params;
  const auto device_id = id_param(params, "device");
  if (!device_id) return tl::unexpected(device_id.error());
  const auto expires = required_param(params, "expires");
  if (!expires) return tl::unexpected(expires.error());
  const auto expires_s = parse_whole(*expires, 0, std::numeric_limits<std::int64_t>::max());
  if (!expires_s) return fleet::fail(ErrorKind::invalid, "expires must be seconds since 1970");
  const auto ticket = required_param(params, "ticket");
  if (!ticket) return tl::unexpected(ticket.error());
  auto judged = ports_.urls.judge({version, model, *device_id, *expires_s}, *ticket, is_continuation(request),
                                  ports_.now());
  return judged ? judge_standing(*device_id, "") : judged;
}

// A ticket outlives the revocation of its device, and a certificate made by hand may be on no list. While the
// database is away the proof alone counts: images are served all the same.
Expected<void> Api::judge_standing(const std::string& device_id, const std::string& serial) const {
  const auto revoked = ports_.identity.certificates->is_revoked(device_id, serial);
  if (!revoked || !*revoked) return {};
  return fleet::fail(ErrorKind::forbidden, "device " + device_id + " is revoked, or its certificate is");
}

// A device may load any image: which one it is to run is said by its offer, not here.
Expected<void> Api::judge_loading_device(const Request& request) const {
  const auto proof = proof_to_test(request, request.client_name, options_.device_auth, ports_.sha256);
  if (!proof) return tl::unexpected(proof.error());
  if (!*proof) {
    return judge_standing(std::string(request.client_name),
                          proving_serial(request, request.client_name, options_.device_auth));
  }
  const auto owner = ports_.tokens.find_owner(**proof);
  if (!owner) return tl::unexpected(owner.error());
  if (*owner) return {};
  return fleet::fail(ErrorKind::unauthorized, "the device's token is wrong, or was replaced or taken back");
}

std::optional<Response> Api::refuse_download(const Request& request, const std::string& version,
                                             const std::string& model) {
  const bool is_open = options_.device_auth == DeviceAuth::open;
  const bool have_tickets = ports_.urls.have_tickets();
  if (is_open && !have_tickets) return std::nullopt;
  if (have_tickets && request.params->count("ticket") > 0) {
    const auto judged = judge_ticket(request, version, model);
    return judged ? std::nullopt : std::optional(error_reply(judged.error()));
  }
  if (request.header("X-API-Key")) {
    const auto actor = gate_.admit(request, request.client, fleet::KeyRole::viewer);
    return actor ? std::nullopt : std::optional(actor.error());
  }
  if (is_open) {
    return error_reply(403, "a download needs the ticket of a download_url; check again for a fresh one");
  }
  const auto judged = judge_loading_device(request);
  return judged ? std::nullopt : std::optional(error_reply(judged.error()));
}

}  // namespace ota::http
