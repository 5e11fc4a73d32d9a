// Who may load an image.
#include <limits>

#include "http/api.hpp"
#include "http/params.hpp"
#include "http/range.hpp"
#include "http/replies.hpp"

namespace ota::http {
namespace {

// Whether the request asks for the rest of an image that it holds the beginning of.
bool is_continuation(const Request& request) {
  const auto header = request.header("Range");
  ByteRange range;
  return header && request.method == "GET" && !request.header("If-Range") &&
         parse_range(*header, std::numeric_limits<std::size_t>::max(), range) == RangeOutcome::part &&
         range.offset > 0 && header->find("=-") == std::string_view::npos;
}

}  // namespace

fleet::Expected<void> Api::judge_ticket(const Request& request, const std::string& version,
                                        const std::string& model) const {
  const auto& params = *request.params;
  const auto device_id = id_param(params, "device");
  if (!device_id) return tl::unexpected(device_id.error());
  const auto expires = required_param(params, "expires");
  if (!expires) return tl::unexpected(expires.error());
  const auto expires_s = parse_whole(*expires, 0, std::numeric_limits<std::int64_t>::max());
  if (!expires_s) return fleet::fail(fleet::ErrorKind::invalid, "expires must be seconds since 1970");
  const auto ticket = required_param(params, "ticket");
  if (!ticket) return tl::unexpected(ticket.error());
  return ports_.urls.judge({version, model, *device_id, *expires_s}, *ticket, is_continuation(request),
                           ports_.now());
}

fleet::Expected<void> Api::judge_download(const Request& request, const std::string& version,
                                          const std::string& model) const {
  if (!ports_.urls.have_tickets()) return {};
  if (request.params->count("ticket") > 0) return judge_ticket(request, version, model);
  return fleet::fail(fleet::ErrorKind::forbidden,
                     "a download needs the ticket of a download_url; check again for a fresh one");
}

}  // namespace ota::http
