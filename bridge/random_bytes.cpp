#include "bridge/random_bytes.hpp"

#include <sys/random.h>

#include <cerrno>
#include <system_error>

namespace ota::bridge {

std::array<std::uint8_t, 32> random_bytes() {
  std::array<std::uint8_t, 32> bytes{};
  // So few bytes come whole once the system has gathered enough at its start (getrandom(2)).
  ssize_t count = -1;
  do {
    count = ::getrandom(bytes.data(), bytes.size(), 0);
  } while (count < 0 && errno == EINTR);
  if (count != static_cast<ssize_t>(bytes.size())) {
    throw std::system_error(errno, std::generic_category(), "getrandom");
  }
  return bytes;
}

}  // namespace ota::bridge
