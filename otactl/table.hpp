#pragma once

#include <string>
#include <vector>

namespace ota::otactl {

/// Prints rows of texts in columns as wide as they need; the first row is the headings.
void print_table(const std::vector<std::vector<std::string>>& rows);

/// An ISO time to the minute; `otherwise` for an empty one.
[[nodiscard]] std::string to_minute(const std::string& iso_time, const std::string& otherwise);

/// Whether an ISO time has passed; an empty one never has.
[[nodiscard]] bool has_passed(const std::string& iso_time);

}  // namespace ota::otactl
