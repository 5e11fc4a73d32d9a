#include "bridge/service_manager.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "bridge/unique_fd.hpp"

namespace ota::bridge {
namespace {

TEST(ServiceManager, HearsTheStateOnTheSocketItNames) {
  const auto path = ::testing::TempDir() + "/notify-" + std::to_string(::getpid());
  const UniqueFd manager(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof address.sun_path);
  std::strcpy(address.sun_path, path.c_str());
  ASSERT_EQ(::bind(manager.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);

  ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  tell_service_manager("READY=1\nSTATUS=serving");
  char heard[64] = {};
  EXPECT_GT(::recv(manager.get(), heard, sizeof heard - 1, MSG_DONTWAIT), 0);
  EXPECT_STREQ(heard, "READY=1\nSTATUS=serving");

  ::unlink(path.c_str());
  tell_service_manager("STOPPING=1");  // nobody there any more: no harm
  ::unsetenv("NOTIFY_SOCKET");
  tell_service_manager("STOPPING=1");
}

}  // namespace
}  // namespace ota::bridge
