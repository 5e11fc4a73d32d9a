#include "otactl/inspect.hpp"

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "bridge/sha256.hpp"
#include "fleet/image_inspection.hpp"
#include "fleet/image_policy.hpp"
#include "fleet/strict_json.hpp"
#include "otactl/command.hpp"

namespace ota::otactl {
namespace {

struct InspectOptions {
  std::string image;
  std::string model;
  std::string version;
  std::string chips;
  bool strict = false;
};

// The members of an object, a line each; text stands bare, all else as JSON.
void print(const fleet::JsonValue& found) {
  for (const auto& [name, value] : std::get<fleet::JsonValue::Object>(found.value)) {
    const auto* text = std::get_if<std::string>(&value.value);
    std::cout << name << ": " << (text != nullptr ? *text : fleet::to_json(value)) << '\n';
  }
}

void inspect(const InspectOptions& options) {
  fleet::ImagePolicy policy;
  policy.strict = options.strict;
  auto chips = fleet::parse_model_chips(options.chips);
  if (!chips) end_with("--model-chips: " + chips.error().message);
  policy.model_chips = std::move(*chips);

  const auto image = fleet::inspect_image(read_file(options.image), &bridge::sha256);
  print(fleet::image_json(image));
  // Without a version of its own the image is held to the one it names.
  const auto& version = options.version.empty() ? image.version : options.version;
  const auto fits = fleet::judge_image(image, options.model, version, policy);
  if (!fits) end_with(fits.error().message);
}

}  // namespace

void add_inspect(CLI::App& app) {
  auto* command =
      app.add_subcommand("inspect", "Say what an image is, and whether an upload of it would be taken");
  auto options = std::make_shared<InspectOptions>();
  command->add_option("IMAGE", options->image, "The image that will be uploaded")
      ->required()
      ->check(CLI::ExistingFile);
  command->add_option("--model", options->model, "Device model it is for");
  command->add_option("--version", options->version, "Version it will be uploaded as");
  command->add_option("--model-chips", options->chips, "What models run on, as the server's MODEL_CHIPS");
  command->add_flag("--strict", options->strict, "As with the server's INSPECT_IMAGES=strict");
  command->callback([options] { inspect(*options); });
}

}  // namespace ota::otactl
