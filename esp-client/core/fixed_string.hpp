#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace ota::device {

// A string of at most `N` bytes that lives where it is declared: the core never touches the heap.
// Not thread safe, like everything in the core.
template <std::size_t N>
class FixedString {
 public:
  FixedString() = default;

  // Takes the whole text, or returns false and stays as it was: a cut id or URL would be a different one.
  [[nodiscard]] bool assign(std::string_view text) {
    if (text.size() > N) return false;
    size_ = text.size();
    if (!text.empty()) std::memmove(bytes_.data(), text.data(), text.size());
    return true;
  }

  // For sentences meant for people, where a cut end does no harm.
  FixedString& append_cut(std::string_view text) {
    const std::size_t taken = text.size() < N - size_ ? text.size() : N - size_;
    if (taken > 0) std::memmove(bytes_.data() + size_, text.data(), taken);
    size_ += taken;
    return *this;
  }

  FixedString& append_number(std::uint64_t value) {
    std::array<char, 20> digits{};
    std::size_t at = digits.size();
    do {
      digits[--at] = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value > 0);
    return append_cut(std::string_view(digits.data() + at, digits.size() - at));
  }

  FixedString& append_hex(std::uint64_t value) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (int shift = 60; shift >= 0; shift -= 4) append_cut(kDigits.substr((value >> shift) & 0xFU, 1));
    return *this;
  }

  // For those that write the bytes themselves: N of them are there.
  [[nodiscard]] char* storage() { return bytes_.data(); }
  void set_size(std::size_t size) { size_ = size < N ? size : N; }

  void clear() { size_ = 0; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::string_view view() const { return {bytes_.data(), size_}; }

  friend bool operator==(const FixedString& a, const FixedString& b) { return a.view() == b.view(); }
  friend bool operator!=(const FixedString& a, const FixedString& b) { return a.view() != b.view(); }

 private:
  std::array<char, N> bytes_{};
  std::size_t size_ = 0;
};

}  // namespace ota::device
