#include "fleet/iso_time.hpp"

#include <array>
#include <chrono>
#include <cstdio>

namespace ota::fleet {
namespace {

// Takes `digits` decimal digits off the head of `text`; -1 when there are fewer.
int take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return -1;
  int number = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    number = number * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return number;
}

bool take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::chrono::microseconds> take_fraction(std::string_view& text) {
  std::int64_t micros = 0;
  int digits = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    if (digits < 6) micros = micros * 10 + (text.front() - '0');
    ++digits;
    text.remove_prefix(1);
  }
  if (digits == 0 || digits > 9) return std::nullopt;
  for (; digits < 6; ++digits) micros *= 10;
  return std::chrono::microseconds(micros);
}

std::optional<std::chrono::minutes> take_offset(std::string_view& text) {
  if (take(text, 'Z') || take(text, 'z')) return std::chrono::minutes(0);
  const bool west = !text.empty() && text.front() == '-';
  if (!west && (text.empty() || text.front() != '+')) return std::nullopt;
  text.remove_prefix(1);
  const int hours = take_number(text, 2);
  (void)take(text, ':');
  const int minutes = take_number(text, 2);
  if (hours < 0 || hours > 14 || minutes < 0 || minutes > 59) return std::nullopt;
  const std::chrono::minutes offset(hours * 60 + minutes);
  return west ? -offset : offset;
}

}  // namespace

std::optional<Time> parse_iso_time(std::string_view text) {
  using namespace std::chrono;
  const int year = take_number(text, 4);
  if (year < 1970 || !take(text, '-')) return std::nullopt;
  const int month = take_number(text, 2);
  if (month < 1 || !take(text, '-')) return std::nullopt;
  const int day = take_number(text, 2);
  if (day < 1 || !(take(text, 'T') || take(text, 't') || take(text, ' '))) return std::nullopt;
  const int hour = take_number(text, 2);
  if (hour < 0 || hour > 23 || !take(text, ':')) return std::nullopt;
  const int minute = take_number(text, 2);
  if (minute < 0 || minute > 59) return std::nullopt;
  int second = 0;
  microseconds fraction(0);
  if (take(text, ':')) {
    second = take_number(text, 2);
    if (second < 0 || second > 59) return std::nullopt;
    if (take(text, '.')) {
      const auto taken = take_fraction(text);
      if (!taken) return std::nullopt;
      fraction = *taken;
    }
  }
  const auto offset = take_offset(text);
  const year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                            std::chrono::day(static_cast<unsigned>(day))};
  if (!offset || !text.empty() || !date.ok()) return std::nullopt;
  const auto time =
      Time(sys_days(date)) + hours(hour) + minutes(minute) + seconds(second) + fraction - *offset;
  // Its offset must not take it out of the years that can be written again.
  constexpr auto kEnd = Time(sys_days(std::chrono::year(10000) / January / 1));
  return time < Time{} || time >= kEnd ? std::nullopt : std::optional<Time>(time);
}

std::string to_iso(Time time) {
  using namespace std::chrono;
  const auto midnight = floor<days>(time);
  const year_month_day date(midnight);
  const hh_mm_ss<microseconds> clock(time - midnight);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06d+00:00",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
                static_cast<int>(clock.subseconds().count()));
  return text.data();
}

}  // namespace ota::fleet
