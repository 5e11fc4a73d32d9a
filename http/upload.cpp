#include "fleet/version.hpp"
#include "http/api.hpp"
#include "http/params.hpp"
#include "http/replies.hpp"

namespace ota::http {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

Expected<fleet::NewRelease> read_release(const Params& params) {
  fleet::NewRelease release;
  auto version = version_param(params, "version");
  if (!version) return tl::unexpected(version.error());
  release.version = std::move(*version);
  auto model = id_param(params, "device_model");
  if (!model) return tl::unexpected(model.error());
  release.model = std::move(*model);
  auto min_version = optional_version_param(params, "min_version");
  if (!min_version) return tl::unexpected(min_version.error());
  release.min_version = std::move(*min_version);
  const auto order = fleet::compare_versions(release.min_version, release.version);
  if (!release.min_version.empty() && (order == fleet::Order::same || order == fleet::Order::newer)) {
    return fleet::fail(ErrorKind::invalid,
                       "min_version " + release.min_version + " must be below version " + release.version);
  }
  auto changelog = text_param(params, "changelog");
  if (!changelog) return tl::unexpected(changelog.error());
  release.changelog = std::move(*changelog);
  auto notes = text_param(params, "release_notes");
  if (!notes) return tl::unexpected(notes.error());
  release.notes = std::move(*notes);
  const auto is_signed = flag_param(params, "is_signed");
  if (!is_signed) return tl::unexpected(is_signed.error());
  release.is_signed = *is_signed;
  release.by = "admin";
  return release;
}

// Takes the one part named "file" out of a multipart body and into an upload; other fields are passed over.
class FilePart {
 public:
  explicit FilePart(fleet::BlobUpload& upload) : upload_(upload) {}

  Expected<void> begin(const Part& part) {
    inside_ = part.name == "file";
    if (inside_ && seen_) {
      return fleet::fail(ErrorKind::invalid, "the body holds two parts named 'file'; send one image");
    }
    seen_ = seen_ || inside_;
    return {};
  }

  Expected<void> take(std::string_view bytes) {
    if (!inside_ || bytes.empty()) return {};
    empty_ = false;
    return upload_.append(bytes);
  }

  [[nodiscard]] Expected<void> complete() const {
    if (!seen_) return fleet::fail(ErrorKind::invalid, "the multipart body has no part named 'file'");
    if (empty_) return fleet::fail(ErrorKind::invalid, "the part 'file' is empty; send the image");
    return {};
  }

 private:
  fleet::BlobUpload& upload_;
  bool inside_ = false;
  bool seen_ = false;
  bool empty_ = true;
};

Expected<fleet::StoredBlob> store(Request& request, fleet::BlobUpload& upload) {
  FilePart file(upload);
  const auto read = request.read_parts([&](const Part& part) { return file.begin(part); },
                                       [&](std::string_view bytes) { return file.take(bytes); });
  if (!read) return tl::unexpected(read.error());
  if (const auto complete = file.complete(); !complete) return tl::unexpected(complete.error());
  return upload.keep();
}

}  // namespace

Response Api::upload(Request& request) {
  auto release = read_release(*request.params);
  if (!release) return error_reply(release.error());
  auto upload = ports_.blobs.begin_upload();
  if (!upload) return error_reply(upload.error());
  auto blob = store(request, **upload);
  if (!blob) return error_reply(blob.error());
  release->file_path = std::move(blob->file_path);
  release->size_bytes = blob->size_bytes;
  release->sha256 = std::move(blob->sha256);
  const auto added = ports_.releases.add_release(*release);
  if (!added) return error_reply(added.error());
  return ok_reply(uploaded_json(*release));
}

}  // namespace ota::http
