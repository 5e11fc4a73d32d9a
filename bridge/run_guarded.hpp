#pragma once

#include <functional>

namespace ota::bridge {

/// Runs one turn of a thread that lives as long as the process. What `turn` throws would end the process with
/// it: it is logged under `name` instead, and after a short pause the loop goes on with its next turn.
void run_guarded(const char* name, const std::function<void()>& turn) noexcept;

}  // namespace ota::bridge
