#include "bridge/run_guarded.hpp"

#include <spdlog/spdlog.h>

#include <chrono>
#include <exception>
#include <thread>

namespace ota::bridge {
namespace {

// What fails at every turn must not spin.
constexpr std::chrono::milliseconds kPause{200};

void log_current_exception(const char* name) {
  try {
    throw;
  } catch (const std::exception& error) {
    spdlog::error("{}: {}; it goes on", name, error.what());
  } catch (...) {
    spdlog::error("{}: an unknown exception; it goes on", name);
  }
}

}  // namespace

void run_guarded(const char* name, const std::function<void()>& turn) noexcept {
  try {
    return turn();
  } catch (...) {
    log_current_exception(name);
  }
  std::this_thread::sleep_for(kPause);
}

}  // namespace ota::bridge
