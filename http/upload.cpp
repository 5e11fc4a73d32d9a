#include <algorithm>

#include "fleet/image_inspection.hpp"
#include "fleet/image_policy.hpp"
#include "fleet/known_names.hpp"
#include "fleet/parse_messages.hpp"
#include "fleet/strict_json.hpp"
#include "fleet/version.hpp"
#include "http/api.hpp"
#include "http/params.hpp"
#include "http/replies.hpp"
#include "http/rollout_body.hpp"

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
  if (!release.min_version.empty() && order == fleet::Order::unknown) {
    return fleet::fail(ErrorKind::invalid, "min_version " + release.min_version +
                                               " cannot be compared with version " + release.version +
                                               "; both must be semantic, like 1.2.0");
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
  return release;
}

// Takes the part named "file" out of a multipart body and into an upload, and the text of the part
// "manifest"; other fields are passed over and named in `warnings`.
class UploadParts {
 public:
  UploadParts(fleet::BlobUpload& upload, std::vector<std::string>& warnings)
      : upload_(upload), warnings_(warnings) {}

  Expected<void> begin(const Part& part) {
    if (!fleet::is_known(part.name, kParts) && ++unknown_ <= kUnknownTold) {
      warnings_.push_back(fleet::unknown_name(part.name, kParts, "part of this body"));
    }
    inside_ = part.name == "file";
    inside_manifest_ = part.name == "manifest";
    if (inside_ && seen_) {
      return fleet::fail(ErrorKind::invalid, "the body holds two parts named 'file'; send one image");
    }
    seen_ = seen_ || inside_;
    return {};
  }

  Expected<void> take(std::string_view bytes) {
    if (inside_manifest_) return take_manifest(bytes);
    if (!inside_ || bytes.empty()) return {};
    empty_ = false;
    return upload_.append(bytes);
  }

  [[nodiscard]] Expected<void> complete() const {
    if (!seen_) return fleet::fail(ErrorKind::invalid, "the multipart body has no part named 'file'");
    if (empty_) return fleet::fail(ErrorKind::invalid, "the part 'file' is empty; send the image");
    return {};
  }

  [[nodiscard]] const std::string& manifest() const { return manifest_; }

 private:
  Expected<void> take_manifest(std::string_view bytes) {
    manifest_ += bytes;
    if (manifest_.size() <= fleet::kManifestBytesMax) return {};
    return fleet::fail(ErrorKind::too_large, "the part 'manifest' is larger than " +
                                                 std::to_string(fleet::kManifestBytesMax) + " bytes");
  }

  static constexpr std::string_view kParts = "file manifest";
  static constexpr std::size_t kUnknownTold = 10;

  fleet::BlobUpload& upload_;
  std::vector<std::string>& warnings_;
  std::string manifest_;
  std::size_t unknown_ = 0;
  bool inside_manifest_ = false;
  bool inside_ = false;
  bool seen_ = false;
  bool empty_ = true;
};

// The image as it was stored, with the manifest that came along.
Expected<std::string> store(Request& request, fleet::BlobUpload& upload, fleet::NewRelease& release) {
  UploadParts parts(upload, request.warnings);
  const auto read = request.read_parts([&](const Part& part) { return parts.begin(part); },
                                       [&](std::string_view bytes) { return parts.take(bytes); });
  if (!read) return tl::unexpected(read.error());
  if (const auto complete = parts.complete(); !complete) return tl::unexpected(complete.error());
  auto blob = upload.keep();
  if (!blob) return tl::unexpected(blob.error());
  release.file_path = std::move(blob->file_path);
  release.size_bytes = blob->size_bytes;
  release.sha256 = std::move(blob->sha256);
  return parts.manifest();
}

// One of the uploads that may be under way at a time.
class UploadPlace {
 public:
  UploadPlace(std::atomic<int>& taken, int most) : taken_(taken), is_free_(++taken <= most) {}
  ~UploadPlace() { --taken_; }
  UploadPlace(const UploadPlace&) = delete;
  UploadPlace& operator=(const UploadPlace&) = delete;
  [[nodiscard]] bool is_free() const { return is_free_; }

 private:
  std::atomic<int>& taken_;
  const bool is_free_;
};

std::string differing(const fleet::Manifest& manifest, const fleet::NewRelease& release) {
  if (manifest.model != release.model) return "model " + manifest.model;
  if (manifest.version != release.version) return "version " + manifest.version;
  if (manifest.size_bytes != release.size_bytes) return "size " + std::to_string(manifest.size_bytes);
  if (manifest.sha256 != release.sha256) return "sha256 " + manifest.sha256;
  const bool other_least = !release.min_version.empty() && manifest.min_version != release.min_version;
  return other_least ? "min_version " + manifest.min_version : "";
}

// Devices that have confirmed a higher one refuse the lower.
void warn_of_low_sequence(const fleet::Catalog& catalog, const std::string& model, const std::string& version,
                          std::int64_t sequence, std::vector<std::string>& warnings) {
  const fleet::Release* highest = nullptr;
  for (const auto* other : catalog.releases_of(model)) {
    const bool is_higher = highest == nullptr || other->sequence > highest->sequence;
    if (other->version != version && is_higher) highest = other;
  }
  if (sequence == 0 || highest == nullptr || highest->sequence < sequence) return;
  warnings.push_back("manifest: its sequence " + std::to_string(sequence) + " is not above " +
                     std::to_string(highest->sequence) + " of version " + highest->version +
                     ", the highest of " + model + ": devices that have installed that one refuse it");
}

// The same bytes once more change nothing, also where they now come with a manifest.
void warn_of_kept_manifest(const fleet::Catalog& catalog, const fleet::NewRelease& release,
                           std::vector<std::string>& warnings) {
  const auto* stored = catalog.find_release(release.model, release.version);
  if (stored == nullptr || release.manifest.empty() || stored->manifest == release.manifest) return;
  warnings.push_back("manifest: this image was stored before and keeps " +
                     std::string(stored->manifest.empty() ? "being without one" : "the one it had") +
                     "; add this one by POST /api/admin/firmware/" + release.version +
                     "/manifest?device_model=" + release.model);
}

}  // namespace

// Whether this release is there already with these bytes, so that uploading it again changes nothing.
bool Api::is_stored(const fleet::NewRelease& release) const {
  const auto rows = ports_.releases.find_releases(release.version, release.model);
  return rows && std::any_of(rows->begin(), rows->end(),
                             [&](const fleet::ReleaseRow& row) { return row.sha256 == release.sha256; });
}

// Says in the release what its stored image is, and refuses one that the model could not run.
Expected<void> Api::inspect(fleet::NewRelease& release, bool force) const {
  const auto blob = ports_.blobs.open(release.file_path, release.size_bytes, release.sha256);
  if (!blob) return tl::unexpected(blob.error());
  const auto image = fleet::inspect_image((*blob)->bytes(), ports_.sha256);
  release.image_json = fleet::to_json(fleet::image_json(image));
  const auto fits = fleet::judge_image(image, release.model, release.version, options_.images);
  if (fits || is_stored(release)) return {};
  if (force) {
    release.forced = fits.error().message;
    return {};
  }
  return fleet::fail(fits.error().kind, fits.error().message + ". force=true takes it all the same");
}

// Takes the manifest over into the release once it fits and its signature is right.
Expected<void> Api::adopt_manifest(const std::string& text, fleet::NewRelease& release) const {
  if (text.empty()) {
    if (!options_.require_signed) return {};
    return fleet::fail(ErrorKind::invalid,
                       "this server takes signed releases only: send the part 'manifest' too "
                       "(otactl sign makes it)");
  }
  const auto manifest = read_manifest(text);
  if (!manifest) return tl::unexpected(manifest.error());
  if (const auto field = differing(*manifest, release); !field.empty()) {
    return fleet::fail(ErrorKind::invalid, "manifest: " + field + " is not what is uploaded");
  }
  release.min_version = manifest->min_version;
  release.manifest = text;
  release.sequence = manifest->sequence;
  release.is_signed = true;
  return {};
}

// A manifest from outside: read, verified, and not expired.
Expected<fleet::Manifest> Api::read_manifest(const std::string& text) const {
  auto manifest = fleet::parse_manifest(text);
  if (!manifest) return manifest;
  if (auto verified = ports_.manifests.verify(*manifest); !verified) return tl::unexpected(verified.error());
  if (manifest->expires && *manifest->expires <= ports_.now()) {
    return fleet::fail(ErrorKind::invalid, "manifest: it has expired; sign it anew with a later time");
  }
  return manifest;
}

Response Api::upload(Request& request) {
  auto release = read_release(*request.params);
  if (!release) return error_reply(release.error());
  release->by = request.actor;
  const auto force = flag_param(*request.params, "force");
  if (!force) return error_reply(force.error());
  const UploadPlace place(uploads_, options_.uploads_max);
  if (!place.is_free()) {
    return error_reply(503, "at most " + std::to_string(options_.uploads_max) +
                                " images are received at a time; try again shortly");
  }
  auto upload = ports_.blobs.begin_upload();
  if (!upload) return error_reply(upload.error());
  const auto manifest = store(request, **upload, *release);
  if (!manifest) return error_reply(manifest.error());
  const auto accepted =
      inspect(*release, *force).and_then([&] { return adopt_manifest(*manifest, *release); });
  const auto added = accepted.and_then([&] { return ports_.releases.add_release(*release); });
  upload->reset();  // its lock would keep the refused file from being removed
  if (added) {
    const auto catalog = ports_.catalog.catalog();
    const auto* known = catalog->find_known(release->model, release->version);
    if (known != nullptr && known->withdrawn)
      request.warnings.emplace_back("this release was withdrawn: it is never offered or served again");
    if (!*added) warn_of_kept_manifest(*catalog, *release, request.warnings);
    warn_of_low_sequence(*catalog, release->model, release->version, release->sequence, request.warnings);
    return ok_reply(uploaded_json(*release, request.warnings));
  }
  // Its row may yet come to light; if it does not, the sweep takes the file.
  if (added.error().kind != fleet::ErrorKind::in_doubt) ports_.blobs.remove(release->file_path);
  return error_reply(added.error());
}

// A newer manifest for a stored image: for a deliberate way back, or a new key.
Response Api::add_manifest(Request& request) {
  const auto release = find_release(request);
  if (!release) return error_reply(release.error());
  const auto body = read_body(request.body, "manifest");
  if (!body) return error_reply(body.error());
  const auto text = fleet::required_text(*body, "manifest");
  if (!text) return error_reply(text.error());
  const auto manifest = read_manifest(*text);
  if (!manifest) return error_reply(manifest.error());
  if (manifest->version != release->version || manifest->model != release->model) {
    return error_reply(422, "manifest: it is for version " + manifest->version + " of " + manifest->model);
  }
  const auto done = ports_.releases.set_manifest(*manifest, *text, request.actor);
  if (!done) return error_reply(done.error());
  warn_of_low_sequence(*ports_.catalog.catalog(), release->model, release->version, manifest->sequence,
                       request.warnings);
  return ok_reply(status_json("Manifest added successfully", request.warnings));
}

}  // namespace ota::http
