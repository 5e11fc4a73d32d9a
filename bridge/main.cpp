#include <sched.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>

#include "bridge/config.hpp"
#include "bridge/config_profile.hpp"
#include "bridge/service.hpp"
#include "bridge/service_manager.hpp"
#include "sql/migrate.hpp"

namespace {

using ota::bridge::Config;

constexpr int kExitFailed = 1;
constexpr int kExitBadConfig = 2;

std::string environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}

void set_up_log(const std::string& level) {
  auto log = spdlog::stderr_color_mt("ota-bridge");
  log->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
  spdlog::set_default_logger(std::move(log));
  spdlog::set_level(spdlog::level::from_str(level));
  spdlog::flush_on(spdlog::level::info);
}

std::string variables_help() {
  std::string help = "Environment (libpq's PG* variables name the database):\n";
  for (const auto& variable : ota::bridge::config_variables()) {
    help += "  " + variable.name + (variable.fallback.empty() ? "" : " (" + variable.fallback + ")") + ": " +
            variable.help + "\n";
  }
  return help;
}

sigset_t end_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// Waits up to `seconds` for SIGTERM or SIGINT; they are blocked in every thread, so that only this hears
// them.
bool end_requested(int seconds) {
  const auto signals = end_signals();
  const timespec wait{seconds, 0};
  return sigtimedwait(&signals, nullptr, &wait) > 0;
}

int migrate_once() {
  const auto applied = ota::sql::migrate();
  if (!applied) {
    spdlog::error("migrate: {}", applied.error().message);
    return kExitFailed;
  }
  spdlog::info("migrate: {} migrations applied", *applied);
  return 0;
}

// The database may come later than the bridge; a schema that cannot be brought up to date ends the start.
// 0: done, -1: asked to end, else the exit status.
int migrate_when_there() {
  while (true) {
    const auto applied = ota::sql::migrate();
    if (applied) {
      if (*applied > 0) spdlog::info("database: {} migrations applied", *applied);
      return 0;
    }
    if (applied.error().kind != ota::fleet::ErrorKind::unavailable) {
      spdlog::error("database: {}", applied.error().message);
      return kExitFailed;
    }
    spdlog::warn("database: {}; trying again", applied.error().message);
    if (end_requested(1)) return -1;
  }
}

// Under load a thread that is woken lets the one that runs finish its slice: messages then gather into larger
// batches, and the broker and the database, which are often on the same machine, are interrupted less.
// Without load nothing changes. Every later thread inherits it.
void prefer_batches() {
  const sched_param parameters{};
  if (sched_setscheduler(0, SCHED_BATCH, &parameters) != 0)
    spdlog::debug("the scheduling policy stays as it was");
}

int serve(const Config& config) {
  prefer_batches();
  std::signal(SIGPIPE, SIG_IGN);
  const auto signals = end_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // Paho would send the broker connection through a web proxy.
  unsetenv("http_proxy");
  unsetenv("https_proxy");

  ota::bridge::Service service(config);
  const auto port = service.open();
  if (!port) {
    spdlog::error("http: {}", port.error().message);
    return kExitFailed;
  }
  spdlog::info("{}: listening on {}:{}", config.https_cert.empty() ? "http" : "https", config.host, *port);
  // From here on /health answers; the database may come later.
  ota::bridge::tell_service_manager("READY=1\nSTATUS=waiting for the database");
  const int migrated = migrate_when_there();
  if (migrated == 0) {
    service.run_devices();
    ota::bridge::tell_service_manager("STATUS=serving");
    spdlog::info("ready, version {}", ota::bridge::program_version());
    int signal = 0;
    sigwait(&signals, &signal);
    spdlog::info("stopping");
  }
  ota::bridge::tell_service_manager("STOPPING=1");
  service.stop();
  spdlog::info("stopped");
  return migrated > 0 ? migrated : 0;
}

// The exit status of `work`; what it throws is logged.
template <class Work>
int guarded(Work work) {
  try {
    return work();
  } catch (const std::exception& error) {
    spdlog::critical("cannot start: {}", error.what());
    return kExitFailed;
  }
}

int refuse_configuration(const std::string& problems) {
  std::cerr << "ota-bridge: bad configuration\n" << problems << '\n';
  return kExitBadConfig;
}

}  // namespace

int main(int argc, char** argv) {
  ::umask(S_IWGRP | S_IRWXO);  // what it stores is nobody else's to read
  CLI::App app("OTA Bridge: firmware updates over MQTT and REST.");
  app.footer(variables_help());
  app.set_version_flag("--version", ota::bridge::program_version());
  bool check_config = false;
  app.add_flag("--check-config", check_config, "test the environment and exit");
  const auto* migrate = app.add_subcommand("migrate", "bring the database's schema up to date, then exit");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& refused) {
    return app.exit(refused) == 0 ? 0 : kExitBadConfig;  // 0: --help
  }

  const auto config = ota::bridge::read_config(environment);
  if (*migrate) {  // needs the database alone, so the rest may be as bad as it likes
    set_up_log(config ? config->log_level : "info");
    return guarded(migrate_once);
  }
  if (!config) return refuse_configuration(config.error().message);
  if (const auto warnings = ota::bridge::test_files(*config); !warnings) {
    return refuse_configuration(warnings.error().message);
  } else if (check_config) {
    for (const auto* all : {&config->warnings, &*warnings}) {
      for (const auto& warning : *all) std::cout << "warning: " << warning << '\n';
    }
    std::cout << "the configuration is valid\n";
    for (const auto& problem : ota::bridge::production_problems(*config))
      std::cout << "OTA_PROFILE=production would ask: " << problem.variable << ": " << problem.message
                << '\n';
    return 0;
  }
  set_up_log(config->log_level);
  for (const auto& warning : config->warnings) spdlog::warn("configuration: {}", warning);
  return guarded([&] { return serve(*config); });
}
