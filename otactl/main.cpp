#include <CLI/CLI.hpp>

#include "otactl/sign.hpp"

int main(int argc, char** argv) {
  CLI::App app("The admin's command line of OTA Bridge", "otactl");
  app.require_subcommand(1);
  ota::otactl::add_sign(app);
  CLI11_PARSE(app, argc, argv);
  return 0;
}
