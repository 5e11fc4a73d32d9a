#include "otactl/table.hpp"

#include <algorithm>
#include <chrono>
#include <iostream>

#include "fleet/iso_time.hpp"

namespace ota::otactl {

void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t column = 0; column < row.size(); ++column)
      widths[column] = std::max(widths[column], row[column].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t column = 0; column < row.size(); ++column) {
      line += row[column];
      if (column + 1 < row.size()) line.append(widths[column] - row[column].size() + 2, ' ');
    }
    std::cout << line.substr(0, line.find_last_not_of(' ') + 1) << '\n';
  }
}

std::string to_minute(const std::string& iso_time, const std::string& otherwise) {
  return iso_time.empty() ? otherwise : iso_time.substr(0, 16) + "Z";
}

bool has_passed(const std::string& iso_time) {
  const auto time = fleet::parse_iso_time(iso_time);
  const auto now = std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  return time && *time <= now;  // in microseconds, which reach beyond 2262
}

}  // namespace ota::otactl
