#include <algorithm>

#include "fleet/ids.hpp"
#include "http/api.hpp"
#include "http/params.hpp"
#include "http/range.hpp"
#include "http/replies.hpp"

namespace ota::http {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

// The one release that `rows` holds for `model`; without a model there must be just one model.
Expected<const fleet::ReleaseRow*> choose(const std::vector<fleet::ReleaseRow>& rows,
                                          const std::string& version, const std::string& model) {
  if (model.empty() && rows.size() > 1) {
    return fleet::fail(ErrorKind::conflict,
                       "version " + version + " exists for several models; add ?device_model=");
  }
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const fleet::ReleaseRow& row) {
    return model.empty() || row.model == model;
  });
  if (found != rows.end()) return &*found;
  return fleet::fail(ErrorKind::not_found,
                     "there is no firmware " + version + (model.empty() ? "" : " for " + model));
}

void set_part(Response& response, std::size_t offset, std::size_t length) {
  response.offset = offset;
  response.length = length;
}

void answer_range(const Request& request, std::string_view etag, Response& response) {
  const auto size = response.blob->bytes().size();
  set_part(response, 0, size);
  const auto header = request.header("Range");
  if (!header || request.method != "GET") return;
  const auto condition = request.header("If-Range");
  if (condition && *condition != etag) return;
  ByteRange range;
  switch (parse_range(*header, size, range)) {
    case RangeOutcome::whole:
      return;
    case RangeOutcome::part:
      response.status = 206;
      set_part(response, range.offset, range.length);
      response.headers.emplace_back("Content-Range", "bytes " + std::to_string(range.offset) + "-" +
                                                         std::to_string(range.offset + range.length - 1) +
                                                         "/" + std::to_string(size));
      return;
    case RangeOutcome::unsatisfiable:
      response.status = 416;
      response.blob.reset();
      response.body = detail_json("the image has " + std::to_string(size) + " bytes; the range lies outside");
      response.content_type = "application/json";
      response.headers.emplace_back("Content-Range", "bytes */" + std::to_string(size));
      return;
  }
}

}  // namespace

Response Api::download(Request& request) {
  // Clients that decode the URL once too often turn the '+' of a version into a space.
  std::string text(request.captured);
  std::replace(text.begin(), text.end(), ' ', '+');
  const auto version = fleet::parse_version_text("version", text);
  if (!version) return error_reply(version.error());
  const auto model = optional_id_param(*request.params, "device_model");
  if (!model) return error_reply(model.error());
  if (auto refusal = refuse_download(request, *version, *model)) return std::move(*refusal);
  const auto rows = index_.find(*version);
  if (!rows) return error_reply(rows.error());
  const auto row = choose(**rows, *version, *model);
  if (!row) return error_reply(row.error());

  Response response;
  const fleet::ReleaseRow& release = **row;
  const std::string etag = '"' + release.sha256 + '"';
  response.headers = {{"ETag", etag},
                      {"X-Firmware-Version", release.version},
                      {"X-Checksum-SHA256", release.sha256},
                      {"Accept-Ranges", "bytes"}};
  const auto known = request.header("If-None-Match");
  if (known && names_etag(*known, etag)) {
    response.status = 304;
    return response;
  }
  auto blob = ports_.blobs.open(release.file_path, release.size_bytes, release.sha256);
  if (!blob) {
    // The row is there, so a missing file is the server's fault and must not look like an unknown version.
    return error_reply(fleet::Error{ErrorKind::internal, blob.error().message});
  }
  response.blob = std::move(*blob);
  response.content_type = "application/octet-stream";
  answer_range(request, etag, response);
  return response;
}

}  // namespace ota::http
