#include "otactl/device_files.hpp"

#include <filesystem>
#include <fstream>
#include <iostream>

#include "otactl/command.hpp"
#include "otactl/device_key.hpp"
#include "otactl/fresh_file.hpp"

namespace ota::otactl {
namespace {

using fleet::ErrorKind;
using fleet::Expected;
namespace fs = std::filesystem;

constexpr std::size_t kCertificateBytesMax = 65536;

// A dangling link stands in the way too.
bool is_there(const std::string& path) {
  std::error_code error;
  return !path.empty() && fs::symlink_status(path, error).type() != fs::file_type::not_found;
}

// Empty where nothing can be read.
std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(kCertificateBytesMax, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

tl::unexpected<fleet::Error> refused(const std::string& message) {
  return fleet::fail(ErrorKind::conflict, message);
}

}  // namespace

DeviceFiles DeviceFiles::in(const std::string& folder, const std::string& id, bool with_key) {
  const auto base = (fs::path(folder) / id).string();
  return {id, with_key ? base + ".key" : "", base + ".crt", (fs::path(folder) / "ca.crt").string()};
}

Expected<void> may_write(const DeviceFiles& files, Earlier earlier) {
  if (files.cert == files.ca) {
    return refused("the certificate of a device " + files.id + " would be " + files.cert +
                   ", where the authority's goes; give the device another id");
  }
  const bool has_key = is_there(files.key);
  const bool has_cert = is_there(files.cert);
  if (!has_key && !has_cert) return {};
  if (earlier == Earlier::keep) {
    return refused((has_key ? files.key : files.cert) +
                   " is there already and is not overwritten; --force replaces the files of this device, "
                   "--out names another folder" +
                   (has_key ? ", and --csr asks for a certificate for a key that is there" : ""));
  }
  if (!has_cert) {
    return refused(files.key + " is not overwritten: no certificate of " + files.id +
                   " lies beside it, so it may be something else's; --out names another folder");
  }
  if (name_in_certificate(content_of(files.cert)) == files.id) return {};
  return refused(files.cert + " is not overwritten: it is no certificate of the device " + files.id +
                 "; --out names another folder");
}

void keep_authority(const DeviceFiles& files, const std::string& ca) {
  if (is_there(files.ca)) {
    if (content_of(files.ca) == ca) return;
    std::error_code error;
    fs::rename(files.ca, files.ca + ".old", error);
    if (error) end_with("cannot rename " + files.ca + ": " + error.message());
    std::cerr << files.ca << " was another authority's certificate; it is " << files.ca << ".old now\n";
  }
  write_file(files.ca, ca, 0644);
}

}  // namespace ota::otactl
