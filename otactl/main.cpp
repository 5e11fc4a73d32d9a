#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "otactl/command.hpp"
#include "otactl/device.hpp"
#include "otactl/enrol_token.hpp"
#include "otactl/inspect.hpp"
#include "otactl/key.hpp"
#include "otactl/rest_client.hpp"
#include "otactl/sign.hpp"

namespace {

// A closed standard output must stay an error: its number would go to the next thing that is opened, and a
// secret would be written there. What is open for reading alone refuses to be written.
void occupy_standard_descriptors() {
  int file = 0;
  while (file >= 0 && file <= STDERR_FILENO) file = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (file >= 0) ::close(file);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace ota::otactl;
  occupy_standard_descriptors();
  CLI::App app("The admin's command line of OTA Bridge", "otactl");
  app.set_version_flag("--version", "otactl " OTA_VERSION, "Print the version and exit");
  app.require_subcommand(1);
  app.fallthrough();  // the server's options may stand behind a subcommand too
  app.footer("Exit status: 0 done, 1 failed, 2 wrong usage.");
  ServerOptions server;
  add_server_options(app, server);
  add_inspect(app);
  add_key(app, server);
  add_sign(app);
  add_device(app, server);
  add_enrol_token(app, server);
  try {
    app.parse(argc, argv);
  } catch (const CLI::RuntimeError& ended) {
    return ended.get_exit_code();
  } catch (const CLI::RequiredError& refused) {
    // The library tells what is missing, and nothing of a mistyped word that stands in its place.
    const auto unknown = app.remaining(true);
    if (unknown.empty()) return app.exit(refused) == 0 ? 0 : kExitUsage;
    std::cerr << "'" << unknown.front() << "' is no command or option here\n"
              << "Run with --help for more information.\n";
    return kExitUsage;
  } catch (const CLI::ParseError& refused) {
    return app.exit(refused) == 0 ? 0 : kExitUsage;  // 0: --help
  } catch (const std::exception& unexpected) {
    std::cerr << "otactl: " << unexpected.what() << '\n';
    return kExitFailed;
  }
  // A full disk must not look like a list that ends early.
  if (!std::cout.flush()) {
    std::cerr << "otactl: cannot write all of the answer to standard output\n";
    return kExitFailed;
  }
  return 0;
}
