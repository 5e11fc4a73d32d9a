#include "otactl/sign.hpp"

#include <chrono>
#include <iostream>
#include <memory>

#include "bridge/sha256.hpp"
#include "fleet/manifest.hpp"
#include "otactl/command.hpp"
#include "otactl/fresh_file.hpp"
#include "otactl/signing_key.hpp"

namespace ota::otactl {
namespace {

struct SignOptions {
  std::string image;
  std::string key;
  std::string key_id;
  std::string passphrase_file;
  std::string model;
  std::string version;
  std::string min_version;
  std::string output = "-";
  std::int64_t sequence = 0;
  int days = 0;
};

// As the manifest's grammar has it.
std::string test_sequence(const std::string& text) {
  const bool is_number = !text.empty() && text.size() <= 18 && text.front() != '0' &&
                         text.find_first_not_of("0123456789") == std::string::npos;
  return is_number ? "" : "must be a whole number from 1 to 999999999999999999, not " + text;
}

std::string read_passphrase(const std::string& path) {
  return path.empty() ? std::string() : read_first_line(path);
}

void write(const std::string& path, const std::string& text) {
  if (path == "-") {
    std::cout << text;
  } else {
    write_file(path, text, 0666);
  }
}

void sign(const SignOptions& options) {
  const auto image = read_file(options.image);
  fleet::Manifest manifest;
  manifest.model = options.model;
  manifest.version = options.version;
  manifest.sequence = options.sequence;
  manifest.min_version = options.min_version;
  manifest.size_bytes = static_cast<std::int64_t>(image.size());
  manifest.sha256 = bridge::to_hex(bridge::sha256(image));
  manifest.key_id = options.key_id;
  if (options.days > 0) {
    manifest.expires =
        std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now()) +
        std::chrono::hours(24) * options.days;
  }
  const auto key = SigningKey::load(options.key, read_passphrase(options.passphrase_file));
  if (!key) end_with(key.error().message);
  const auto signed_text = fleet::manifest_text(manifest);
  const auto signature = (*key)->sign(signed_text);
  if (!signature) end_with(signature.error().message);
  const auto text = signed_text + "signature=" + *signature + "\n";
  // What the server would refuse is better said here.
  if (const auto parsed = fleet::parse_manifest(text); !parsed) end_with(parsed.error().message);
  write(options.output, text);
}

}  // namespace

void add_sign(CLI::App& app) {
  auto* command =
      app.add_subcommand("sign", "Make the signed manifest of an image; the key stays on this machine");
  auto options = std::make_shared<SignOptions>();
  command->add_option("IMAGE", options->image, "The image that will be uploaded")
      ->required()
      ->check(CLI::ExistingFile);
  command->add_option("--key", options->key, "Private key, PEM (PKCS#8, also encrypted)")
      ->required()
      ->check(CLI::ExistingFile);
  command->add_option("--key-id", options->key_id, "Its name on the server and the devices")->required();
  command
      ->add_option("--passphrase-file", options->passphrase_file,
                   "File whose first line opens an encrypted key")
      ->check(CLI::ExistingFile);
  command->add_option("--model", options->model, "Device model")->required();
  command->add_option("--version", options->version, "Version of the image")->required();
  command->add_option("--sequence", options->sequence, "Above every sequence signed for the model before")
      ->required()
      ->check(CLI::Validator(test_sequence, "NUMBER"));
  command->add_option("--min-version", options->min_version, "Least version that may take it directly");
  command->add_option("--expires-days", options->days, "Refused after so many days; without it never")
      ->check(CLI::Range(1, 36500));
  command->add_option("-o,--output", options->output, "File for the manifest; - is standard output")
      ->capture_default_str();
  command->callback([options] { sign(*options); });
}

}  // namespace ota::otactl
