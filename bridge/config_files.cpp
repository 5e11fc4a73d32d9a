#include "bridge/config_files.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "bridge/x509.hpp"
#include "fleet/ids.hpp"

namespace ota::bridge {
namespace {

namespace fs = std::filesystem;

// What is wrong with the folder; empty when it is there, or could be made.
std::string trouble_with_folder(const std::string& path) {
  std::error_code problem;
  auto present = fs::absolute(path, problem).lexically_normal();
  const auto wanted = present;
  while (!fs::exists(present, problem) && present.has_relative_path()) present = present.parent_path();
  if (!fs::is_directory(present, problem)) return fleet::quoted(present.string()) + " is no directory";
  if (::access(present.c_str(), present == wanted ? R_OK | X_OK : W_OK | X_OK) == 0) return "";
  const std::string why = std::strerror(errno);
  return present == wanted ? fleet::quoted(path) + " cannot be read: " + why
                           : fleet::quoted(path) + " cannot be made: " + why;
}

// Nobody is asked for the password of a key: the broker's library would not ask either.
int no_password(char*, int, int, void*) {
  return 0;
}

bool holds_certificate(BIO* text) {
  return x509::CertPtr(PEM_read_bio_X509_AUX(text, nullptr, &no_password, nullptr)) != nullptr;
}

bool holds_key(BIO* text) {
  return x509::KeyPtr(PEM_read_bio_PrivateKey(text, nullptr, &no_password, nullptr)) != nullptr;
}

std::string trouble_with_pem(const std::string& path, bool (*holds)(BIO*), const char* what) {
  if (path.empty()) return "";
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad() || text.empty()) return fleet::quoted(path) + " cannot be read";
  const bool good = holds(x509::reader(text).get());
  ERR_clear_error();
  return good ? "" : fleet::quoted(path) + " holds no " + what + " in PEM";
}

}  // namespace

fleet::Expected<void> test_named_files(const Config& config) {
  constexpr char kCertificate[] = "certificate";
  const std::pair<const char*, std::string> troubles[] = {
      {"FIRMWARE_STORAGE_PATH", trouble_with_folder(config.storage_path)},
      {"MQTT_CA", trouble_with_pem(config.mqtt_ca, &holds_certificate, kCertificate)},
      {"MQTT_CERT", trouble_with_pem(config.mqtt_cert, &holds_certificate, kCertificate)},
      {"MQTT_KEY", trouble_with_pem(config.mqtt_key, &holds_key, "private key without a password")},
  };
  std::string problems;
  for (const auto& [name, trouble] : troubles) {
    if (trouble.empty()) continue;
    if (!problems.empty()) problems += '\n';
    problems.append(name).append(": ").append(trouble);
  }
  if (problems.empty()) return {};
  return fleet::fail(fleet::ErrorKind::invalid, problems);
}

}  // namespace ota::bridge
