#include "bridge/secret_file.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <set>

#include "fleet/ids.hpp"

namespace ota::bridge {
namespace {

constexpr std::size_t kSecretBytesMax = 4096;
constexpr std::size_t kDistinctMin = 10;

}  // namespace

fleet::Expected<std::string> read_secret_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kSecretBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || file.gcount() <= 0) {
    return fleet::fail(fleet::ErrorKind::invalid, "cannot read a secret from " + fleet::quoted(path));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kSecretBytesMax) {
    return fleet::fail(fleet::ErrorKind::invalid, fleet::quoted(path) + " is longer than " +
                                                      std::to_string(kSecretBytesMax) +
                                                      " bytes; is it the right file?");
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.empty()) return fleet::fail(fleet::ErrorKind::invalid, fleet::quoted(path) + " is empty");
  return text;
}

std::string warn_of_readers(const std::string& variable, const std::string& path) {
  struct stat info {};
  if (path.empty() || ::stat(path.c_str(), &info) != 0 || (info.st_mode & S_IRWXO) == 0) return {};
  return variable + ": every account of this machine may read " + fleet::quoted(path) + "; chmod 0600 it";
}

bool is_strong_secret(const std::string& secret, std::size_t characters_min) {
  if (secret.size() < characters_min) return false;
  if (std::set<char>(secret.begin(), secret.end()).size() < kDistinctMin) return false;
  std::string letters;
  for (const char c : secret) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0)
      letters += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  const auto holds = [&](const char* word) { return letters.find(word) != std::string::npos; };
  constexpr const char* kWords[] = {"changeme", "changethis", "replaceme", "example",
                                    "default",  "password",   "secretkey", "yourapikey"};
  return std::none_of(std::begin(kWords), std::end(kWords), holds);
}

}  // namespace ota::bridge
