#include "fleet/image_policy.hpp"

#include <algorithm>
#include <vector>

#include "fleet/chips.hpp"
#include "fleet/ids.hpp"
#include "fleet/version.hpp"

namespace ota::fleet {
namespace {

// How sure it is what a model's image has to be.
enum class Certainty { none, by_name, configured };

struct Case {
  const ImageInspection& image;
  std::string model;
  std::string version;
  std::string chip;  // of the model; empty: not known
  Certainty certainty = Certainty::none;
};

// Each answers the empty text when it has nothing against the image.

std::string merged(const Case& upload) {
  if (upload.image.format != ImageFormat::merged) return {};
  return "the file is a merged flash image (boot loader, partition table and application); upload the "
         "application "
         "alone, as the build writes it next to bootloader.bin";
}

std::string bootloader(const Case& upload) {
  if (upload.image.format != ImageFormat::bootloader) return {};
  return "the file is a boot loader without an application; upload the application that the same build wrote";
}

std::string damaged(const Case& upload) {
  if (upload.image.damage.empty()) return {};
  return "the file is an image of " + upload.image.chip + ", but " + upload.image.damage +
         "; upload the file as the build wrote it";
}

std::string wrong_chip(const Case& upload) {
  const bool differs = !upload.chip.empty() && !upload.image.chip.empty() && upload.image.chip != upload.chip;
  if (!differs) return {};
  return "the image is for " + upload.image.chip + ", model " + upload.model + " runs on " + upload.chip +
         (upload.certainty == Certainty::by_name
              ? " by its name; upload that chip's build, or say in MODEL_CHIPS "
                "what it runs on"
              : " by MODEL_CHIPS; upload that chip's build");
}

std::string gzip_for_esp32(const Case& upload) {
  const bool applies =
      upload.image.format == ImageFormat::gzip && !upload.chip.empty() && upload.chip != kEsp8266;
  if (!applies) return {};
  return "the file is compressed by gzip, which " + upload.chip + " cannot boot; upload the image unpacked";
}

// ESP-IDF writes "1" where a project names no version, Arduino the version of its libraries as a text, and a
// repository without tags a bare hash, which may be all digits. None of these says anything: only a semantic
// version with a dot does. The field holds 31 characters and cuts a longer version.
std::string other_version(const Case& upload) {
  constexpr std::size_t kFieldChars = 31;
  const auto& said = upload.image.version;
  const bool is_version = said.find('.') != std::string::npos && SemVer::parse(said).has_value();
  const bool is_cut = said.size() >= kFieldChars && upload.version.compare(0, said.size(), said) == 0;
  if (!is_version || is_cut || compare_versions(said, upload.version) == Order::same) return {};
  return "the image calls itself version " + said + ", not " + upload.version +
         "; a device would report that one and be offered this one again. Upload it as " + said +
         ", or build it with PROJECT_VER " + upload.version;
}

std::string unrecognised(const Case& upload) {
  if (upload.image.format != ImageFormat::unknown) return {};
  const auto chip = upload.chip.empty() ? std::string("an ESP chip") : upload.chip;
  return "the file is no image of " + chip + " (its first byte is not 0xE9, or its header is not one)";
}

// From which certainty about the model on an objection counts; the first that has one speaks.
struct Rule {
  Certainty least;
  std::string (*objection)(const Case& upload);
};
constexpr Rule kRules[] = {
    {Certainty::none, merged},         //
    {Certainty::none, bootloader},     //
    {Certainty::by_name, wrong_chip},  //
    {Certainty::none, damaged},        //
    {Certainty::none, other_version},  //
    {Certainty::by_name, gzip_for_esp32},
    {Certainty::configured, unrecognised},
};

bool is_separator(char c) {
  return c == '-' || c == '_' || c == '.' || c == ':';
}

Expected<void> add_pair(std::string_view pair, ModelChips& chips) {
  const auto equals = pair.find('=');
  if (equals == std::string_view::npos) {
    return fail(ErrorKind::invalid, quoted(pair) + " is not of the form model=chip");
  }
  auto model = parse_id("model", pair.substr(0, equals));
  if (!model) return tl::unexpected(model.error());
  const auto chip = pair.substr(equals + 1);
  const auto names = chip_names();
  if (std::find(names.begin(), names.end(), chip) == names.end()) {
    std::string known;
    for (const auto name : names) known.append(known.empty() ? "" : ", ").append(name);
    return fail(ErrorKind::invalid, quoted(chip) + " of model " + *model + " is no chip; known are " + known);
  }
  if (chips.emplace(*model, chip).second) return {};
  return fail(ErrorKind::invalid, "model " + *model + " stands twice");
}

}  // namespace

Expected<ModelChips> parse_model_chips(std::string_view text) {
  ModelChips chips;
  while (!text.empty()) {
    const auto comma = text.find(',');
    auto pair = text.substr(0, comma);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    pair.remove_prefix(std::min(pair.find_first_not_of(' '), pair.size()));
    pair = pair.substr(0, pair.find_last_not_of(' ') + 1);
    if (auto added = add_pair(pair, chips); !added) return tl::unexpected(added.error());
  }
  return chips;
}

std::string_view chip_of_name(std::string_view model) {
  constexpr std::string_view kFamily = "esp32";
  std::string name(model);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  // esp32-s3 and esp32_s3 are esp32s3.
  if (name.size() > kFamily.size() && name.compare(0, kFamily.size(), kFamily) == 0 &&
      (name[kFamily.size()] == '-' || name[kFamily.size()] == '_')) {
    name.erase(kFamily.size(), 1);
  }
  for (const auto chip : chip_names()) {
    if (name == chip && (chip != kFamily || model.size() == kFamily.size())) return chip;
    const bool has_more = name.size() > chip.size() && is_separator(name[chip.size()]);
    if (has_more && chip != kFamily && name.compare(0, chip.size(), chip) == 0) return chip;
  }
  return {};
}

Expected<void> judge_image(const ImageInspection& image, std::string_view model, std::string_view version,
                           const ImagePolicy& policy) {
  Case upload{image, std::string(model), std::string(version), std::string(chip_of_name(model))};
  if (!upload.chip.empty()) upload.certainty = Certainty::by_name;
  if (const auto configured = policy.model_chips.find(model); configured != policy.model_chips.end()) {
    upload.chip = configured->second;
    upload.certainty = Certainty::configured;
  }
  for (const auto& rule : kRules) {
    const bool counts = upload.certainty >= rule.least || policy.strict;
    if (auto objection = counts ? rule.objection(upload) : std::string(); !objection.empty()) {
      return fail(ErrorKind::invalid, objection);
    }
  }
  return {};
}

}  // namespace ota::fleet
