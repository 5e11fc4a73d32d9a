#include "otactl/device_issue.hpp"

#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include "otactl/answer.hpp"
#include "otactl/command.hpp"
#include "otactl/device.hpp"
#include "otactl/device_files.hpp"
#include "otactl/device_key.hpp"
#include "otactl/fresh_file.hpp"

namespace ota::otactl {
namespace {

using fleet::Expected;

// Room for what people keep beside the request, such as its text form.
constexpr std::size_t kRequestFileBytesMax = 65536;

struct IssueOptions {
  std::string id;
  std::string out = ".";
  std::string csr_file;
  std::string why;
  bool force = false;
};

template <class T>
T or_end(Expected<T> result) {
  if (!result) end_with(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

struct Issued {
  std::string cert;
  std::string ca;
  std::string until;
};

// Everything is written before anything takes its place, and the key goes last: a folder never holds a key
// without its certificate.
void keep(const DeviceFiles& files, std::optional<FreshFile> key, FreshFile cert, const Issued& issued) {
  const auto written = cert.write(issued.cert);
  if (!written) end_with(written.error().message + "; the certificate is lost, so ask for one once more");
  keep_authority(files, issued.ca);
  or_end(cert.place());
  if (key) or_end(key->place());
  if (key) std::cout << "KEY=" << files.key << '\n';
  std::cout << "CERT=" << files.cert << "\nCA=" << files.ca << "\nvalid until " << issued.until << '\n';
}

// The key is on the disk before anything is asked, so that no certificate is issued for a key that nobody
// can keep.
void issue(const IssueOptions& options, const ServerOptions& server, const char* route, Earlier earlier) {
  const auto path = device_path(options.id) + "/" + route;
  const bool makes_key = options.csr_file.empty();
  const auto files = DeviceFiles::in(options.out, options.id, makes_key);
  or_end(may_write(files, earlier));
  auto client = RestClient::open_or_end(server);
  nlohmann::json body;
  std::optional<DeviceKey> own;
  if (makes_key) {
    own = or_end(make_device_key(options.id));
    body["csr"] = own->csr_pem;
  } else {
    body["csr"] = or_end(request_in(read_file(options.csr_file, kRequestFileBytesMax), options.csr_file));
  }
  if (!options.why.empty()) body["why"] = options.why;
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  if (error) end_with("cannot make the folder " + options.out + ": " + error.message());
  std::optional<FreshFile> key;
  if (own) {
    key.emplace(or_end(FreshFile::make(files.key, 0600)));
    or_end(key->write(own->key_pem));
  }
  auto cert = or_end(FreshFile::make(files.cert, 0644));
  const auto answer = value_or_end(client.post(path, body));
  keep(files, std::move(key), std::move(cert),
       {text_of(answer, "certificate"), text_of(answer, "ca"), text_of(answer, "not_after")});
}

CLI::App* add_command(CLI::App& device, const std::shared_ptr<IssueOptions>& options, const char* name,
                      const char* help) {
  auto* command = device.add_subcommand(name, help);
  command->add_option("ID", options->id, "the device's id")->required();
  command->add_option("--out", options->out,
                      "folder for ID.key (mode 0600), ID.crt and ca.crt (default: here)");
  command->add_option("--csr", options->csr_file,
                      "a certificate request of the device's own key, which then stays there");
  command->add_option("--why", options->why, "for the audit log");
  return command;
}

}  // namespace

void add_device_issue(CLI::App& device, const ServerOptions& server) {
  const auto options = std::make_shared<IssueOptions>();
  auto* add =
      add_command(device, options, "add", "Make a key here and have the server issue a certificate for it");
  add->add_flag("--force", options->force, "replace the device's files that are there already");
  add->callback([=, &server] {
    issue(*options, server, "certificate", options->force ? Earlier::replace : Earlier::keep);
  });
  auto* replace =
      add_command(device, options, "replace",
                  "The same for other hardware under the same id: revokes the earlier certificates and "
                  "replaces their files");
  replace->callback([=, &server] { issue(*options, server, "replace", Earlier::replace); });
}

}  // namespace ota::otactl
