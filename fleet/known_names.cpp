#include "fleet/known_names.hpp"

#include <algorithm>
#include <numeric>

#include "fleet/ids.hpp"

namespace ota::fleet {
namespace {

constexpr std::size_t kSentencesMax = 10;
// Longer than every name there is: no need to compare more of it.
constexpr std::size_t kComparedBytesMax = 64;

// Takes the first name off `rest`; empty at its end.
std::string_view take_name(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  const auto name = rest.substr(0, rest.find(' '));
  rest.remove_prefix(name.size());
  return name;
}

// Levenshtein's: single bytes put in, left out or exchanged.
std::size_t distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const auto exchanged = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, exchanged});
    }
  }
  return row[to.size()];
}

std::size_t common_prefix(std::string_view a, std::string_view b) {
  const auto most = std::min(a.size(), b.size());
  return static_cast<std::size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(most), b.begin()).first - a.begin());
}

// 0: nothing alike. A slip of the finger counts for more than a beginning in common, which has to be half of
// the longer name ("exclude_devices") or one of them as a whole ("percent").
std::size_t likeness(std::string_view name, std::string_view known) {
  const auto slips = distance(name, known);
  if (slips <= std::min<std::size_t>(2, known.size() / 2)) return 1000 - slips;
  const auto common = common_prefix(name, known);
  const auto shorter = std::min(name.size(), known.size());
  const auto longer = std::max(name.size(), known.size());
  const bool is_alike = 2 * common >= longer || (common == shorter && shorter >= 4);
  return is_alike ? common : 0;
}

std::string_view nearest(std::string_view name, std::string_view known) {
  name = name.substr(0, kComparedBytesMax);
  std::string_view best;
  std::size_t best_likeness = 0;
  for (auto one = take_name(known); !one.empty(); one = take_name(known)) {
    const auto alike = likeness(name, one);
    if (alike <= best_likeness) continue;
    best = one;
    best_likeness = alike;
  }
  return best;
}

std::string listed(std::string_view known) {
  std::string list;
  for (auto name = take_name(known); !name.empty(); name = take_name(known)) {
    list.append(list.empty() ? "" : ", ").append(name);
  }
  return list;
}

}  // namespace

bool is_known(std::string_view name, std::string_view known) {
  for (auto one = take_name(known); !one.empty(); one = take_name(known)) {
    if (one == name) return true;
  }
  return false;
}

std::string unknown_name(std::string_view name, std::string_view known, std::string_view place) {
  std::string sentence = quoted(name) + " is not a " + std::string(place);
  if (const auto near = nearest(name, known); !near.empty()) {
    return sentence.append("; did you mean ").append(near).append("?");
  }
  const auto list = listed(known);
  return sentence + (list.empty() ? "; there are none" : "; there are " + list);
}

std::vector<std::string> unknown_members(const JsonValue& object, std::string_view known,
                                         std::string_view place) {
  std::vector<std::string> sentences;
  const auto* members = std::get_if<JsonValue::Object>(&object.value);
  if (members == nullptr) return sentences;
  std::size_t more = 0;
  for (const auto& [name, value] : *members) {
    if (is_known(name, known)) continue;
    if (sentences.size() < kSentencesMax) {
      sentences.push_back(unknown_name(name, known, place));
    } else {
      ++more;
    }
  }
  if (more > 0) sentences.push_back("so it is with " + std::to_string(more) + " more");
  return sentences;
}

Expected<void> require_members(const JsonValue& body, std::string_view known) {
  if (!std::holds_alternative<JsonValue::Object>(body.value)) {
    return fail(ErrorKind::invalid, "the body must be a JSON object");
  }
  auto sentences = unknown_members(body, known);
  if (sentences.empty()) return {};
  return fail(ErrorKind::invalid, std::move(sentences.front()));
}

}  // namespace ota::fleet
