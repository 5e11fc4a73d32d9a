#include "fleet/version.hpp"

#include <algorithm>

namespace ota::fleet {
namespace {

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_number(std::string_view text) {
  return all_digits(text) && (text.size() == 1 || text[0] != '0');
}

std::strong_ordering compare_numbers(const std::string& a, const std::string& b) {
  if (a.size() != b.size()) return a.size() <=> b.size();
  return a.compare(b) <=> 0;
}

// Identifiers of SemVer 9 and 10: ASCII letters, digits and hyphens, never empty.
bool is_identifier(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-';
  });
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const auto at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// Cuts git describe's "-N-g<hex>" off the end and answers N; "0" when there is none.
std::string take_commits_after(std::string_view& text) {
  const auto hash_at = text.rfind("-g");
  if (hash_at == std::string_view::npos || hash_at == 0) return "0";
  const auto hex = text.substr(hash_at + 2);
  const bool is_hex = hex.size() >= 4 && hex.size() <= 40 && std::all_of(hex.begin(), hex.end(), [](char c) {
                        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                      });
  const auto count_at = text.rfind('-', hash_at - 1);
  if (!is_hex || count_at == std::string_view::npos) return "0";
  const auto count = text.substr(count_at + 1, hash_at - count_at - 1);
  if (!is_number(count)) return "0";
  text = text.substr(0, count_at);
  return std::string(count);
}

std::strong_ordering compare_identifiers(const std::string& a, const std::string& b) {
  const bool a_number = all_digits(a);
  const bool b_number = all_digits(b);
  if (a_number && b_number) return compare_numbers(a, b);
  if (a_number != b_number) return a_number ? std::strong_ordering::less : std::strong_ordering::greater;
  return a.compare(b) <=> 0;
}

}  // namespace

std::optional<SemVer> SemVer::parse(std::string_view text) {
  if (!text.empty() && (text[0] == 'v' || text[0] == 'V')) text.remove_prefix(1);
  if (const auto plus = text.find('+'); plus != std::string_view::npos) {
    const auto build = split(text.substr(plus + 1), '.');
    if (!std::all_of(build.begin(), build.end(), is_identifier)) return std::nullopt;
    text = text.substr(0, plus);
  }
  SemVer version;
  version.commits_after_ = take_commits_after(text);
  const auto dash = text.find('-');
  const auto core = split(text.substr(0, dash), '.');
  if (core.size() > 3 || !std::all_of(core.begin(), core.end(), is_number)) return std::nullopt;
  for (std::size_t i = 0; i < 3; ++i) version.core_[i] = i < core.size() ? core[i] : "0";
  if (dash == std::string_view::npos) return version;

  version.prerelease_ = split(text.substr(dash + 1), '.');
  const bool valid = std::all_of(
      version.prerelease_.begin(), version.prerelease_.end(),
      [](const std::string& part) { return is_identifier(part) && (!all_digits(part) || is_number(part)); });
  if (!valid) return std::nullopt;
  return version;
}

std::strong_ordering SemVer::operator<=>(const SemVer& other) const {
  for (std::size_t i = 0; i < 3; ++i) {
    if (const auto order = compare_numbers(core_[i], other.core_[i]); order != 0) return order;
  }
  if (is_prerelease() != other.is_prerelease()) {
    return is_prerelease() ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  const auto common = std::min(prerelease_.size(), other.prerelease_.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (const auto order = compare_identifiers(prerelease_[i], other.prerelease_[i]); order != 0)
      return order;
  }
  if (prerelease_.size() != other.prerelease_.size()) return prerelease_.size() <=> other.prerelease_.size();
  return compare_numbers(commits_after_, other.commits_after_);
}

Order compare_versions(std::string_view left, std::string_view right) {
  if (left == right) return Order::same;
  const auto a = SemVer::parse(left);
  const auto b = SemVer::parse(right);
  if (!a || !b) return Order::unknown;
  const auto order = *a <=> *b;
  if (order == 0) return Order::same;
  return order < 0 ? Order::older : Order::newer;
}

}  // namespace ota::fleet
