#include "http/request_head.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include "fleet/ids.hpp"
#include "fleet/limits.hpp"
#include "http/letters.hpp"
#include "http/replies.hpp"

namespace ota::http {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::array<std::string_view, 9> kMethods = {"GET",    "HEAD",    "POST",  "PUT",    "PATCH",
                                                      "DELETE", "OPTIONS", "TRACE", "CONNECT"};

// RFC 9110 section 5.6.2.
bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || kMarks.find(c) != std::string_view::npos;
  });
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < ' ' && c != '\t') || byte == 0x7f;
  });
}

std::string shown(std::string_view text) {
  return fleet::quoted(text.substr(0, 64));
}

// Of the header lines, by their looks alone; `hosts` counts those named Host.
std::optional<Response> refuse_line(std::string_view line, int& hosts) {
  if (line.size() > fleet::kRequestLineBytesMax) {
    return error_reply(
        431, "a header line is longer than " + std::to_string(fleet::kRequestLineBytesMax) + " bytes");
  }
  const auto colon = line.find(':');
  const auto name = line.substr(0, colon);
  if (colon == std::string_view::npos || !is_token(name)) {
    return error_reply(400, "the header line " + shown(line) +
                                " must be a name, a colon without blanks "
                                "before it, and a value");
  }
  const auto value = line.substr(colon + 1);
  if (has_control_character(value)) {
    return error_reply(400, "the header " + shown(name) + " holds a control character");
  }
  const bool frames = same_letters(name, "Content-Length") || same_letters(name, "Transfer-Encoding");
  if (frames && value.find('%') != std::string_view::npos) {  // the library would decode it
    return error_reply(400, "the header " + shown(name) + " must not hold a %");
  }
  if (same_letters(name, "Host")) ++hosts;
  return std::nullopt;
}

std::optional<Response> refuse_head(std::string_view head) {
  const auto first = head.substr(0, head.find(kLineEnd));
  const auto method = first.substr(0, first.find(' '));
  const bool is_request = method.size() < first.size();  // else the library says what is wrong
  if (is_request && is_token(method) &&
      std::find(kMethods.begin(), kMethods.end(), method) == kMethods.end()) {
    return error_reply(501, "the method " + shown(method) + " is not known here");
  }
  int hosts = 0;
  std::size_t lines = 0;
  for (auto at = first.size() + kLineEnd.size(); at < head.size();) {
    const auto end = std::min(head.find(kLineEnd, at), head.size());
    if (++lines > fleet::kRequestHeadersMax) {
      return error_reply(431, "more than " + std::to_string(fleet::kRequestHeadersMax) + " header lines");
    }
    if (auto refusal = refuse_line(head.substr(at, end - at), hosts)) return refusal;
    at = end + kLineEnd.size();
  }
  constexpr std::string_view kVersion = " HTTP/1.1";
  const bool needs_host =
      first.size() > kVersion.size() && first.substr(first.size() - kVersion.size()) == kVersion;
  if (hosts > 1 || (needs_host && hosts == 0)) return error_reply(400, "send the header Host, once");
  return std::nullopt;
}

}  // namespace

std::optional<Response> prepare_head(Connection& connection) {
  const auto buffered = connection.buffered();
  const auto head = buffered.substr(0, buffered.find("\r\n\r\n"));
  if (auto refusal = refuse_head(head)) return refusal;
  const auto target = std::min(head.find(' '), head.size() - 1) + 1;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!same_letters(head.substr(std::min(target, head.size()), scheme.size()), scheme)) continue;
    const auto end = std::min(head.find_first_of("/?# \r", target + scheme.size()), head.size());
    const bool has_path = end < head.size() && head[end] == '/';
    connection.replace_input(target, end - target, has_path ? "" : "/");
    break;
  }
  return std::nullopt;
}

}  // namespace ota::http
