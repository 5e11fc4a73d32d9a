#include "otactl/key.hpp"

#include <charconv>
#include <chrono>
#include <iomanip>
#include <iostream>
#include <memory>

#include "fleet/iso_time.hpp"
#include "otactl/command.hpp"

namespace ota::otactl {
namespace {

using nlohmann::json;

struct KeyOptions {
  std::string name;
  std::string role;
  std::string expires;  ///< such as 90d; empty: never
};

// 90d or 12h; nullopt for anything else, and for more than a hundred years.
std::optional<std::chrono::hours> parse_span(const std::string& text) {
  if (text.empty() || (text.back() != 'd' && text.back() != 'h')) return std::nullopt;
  const int hours_each = text.back() == 'd' ? 24 : 1;
  const int count_max = 36500 * 24 / hours_each;
  int count = 0;
  const auto* number_end = text.data() + text.size() - 1;
  const auto [end, problem] = std::from_chars(text.data(), number_end, count);
  if (problem != std::errc{} || end != number_end || count < 1 || count > count_max) return std::nullopt;
  return std::chrono::hours(count * hours_each);
}

std::string test_span(const std::string& text) {
  return parse_span(text) ? "" : "must be a number of days or hours such as 90d or 12h";
}

void add(const ServerOptions& server, const KeyOptions& options) {
  auto client = RestClient::open_or_end(server);
  json body = {{"name", options.name}, {"role", options.role}};
  if (!options.expires.empty()) {
    const auto now =
        std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
    body["expires_at"] = fleet::to_iso(now + parse_span(options.expires).value());
  }
  const auto made = value_or_end(client.post("/api/admin/keys", body));
  // The key alone goes to standard output, so that it can go straight into a file.
  std::cout << made.value("key", "") << '\n';
  std::cerr << "key " << options.name << " of role " << options.role << ": it is shown this once\n";
}

std::string text_of(const json& row, const char* member) {
  const auto found = row.find(member);
  return found != row.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string state_of(const json& row) {
  if (!text_of(row, "revoked_at").empty()) return "revoked";
  const auto expires = fleet::parse_iso_time(text_of(row, "expires_at"));
  return expires && *expires <= std::chrono::system_clock::now() ? "expired" : "active";
}

// To the minute.
std::string moment(const json& row, const char* member) {
  const auto text = text_of(row, member);
  return text.empty() ? "never" : text.substr(0, 16) + "Z";
}

void print_row(const std::string& name, const std::string& role, const std::string& state,
               const std::string& expires, const std::string& used, const std::string& by) {
  std::cout << std::left << std::setw(24) << name << ' ' << std::setw(9) << role << ' ' << std::setw(7)
            << state << ' ' << std::setw(17) << expires << ' ' << std::setw(17) << used << ' ' << by << '\n';
}

void list(const ServerOptions& server) {
  auto client = RestClient::open_or_end(server);
  const auto answer = value_or_end(client.get("/api/admin/keys?limit=1000"));
  print_row("NAME", "ROLE", "STATE", "EXPIRES", "LAST USED", "CREATED BY");
  for (const auto& row : answer.value("keys", json::array())) {
    print_row(text_of(row, "name"), text_of(row, "role"), state_of(row), moment(row, "expires_at"),
              moment(row, "last_used_at"), text_of(row, "created_by"));
  }
}

void revoke(const ServerOptions& server, const KeyOptions& options) {
  auto client = RestClient::open_or_end(server);
  const auto answer = value_or_end(client.remove("/api/admin/keys/" + RestClient::segment(options.name)));
  std::cout << answer.value("message", "") << '\n';
}

}  // namespace

void add_key(CLI::App& app, const ServerOptions& server) {
  auto options = std::make_shared<KeyOptions>();
  auto* key = app.add_subcommand("key", "Keys of the server's admin routes");
  key->require_subcommand(1);

  auto* added = key->add_subcommand("add", "Make a key and print it, this once");
  added->add_option("NAME", options->name, "Its name, in the audit log too; for ever")->required();
  added->add_option("--role", options->role, "What it is for")
      ->required()
      ->check(CLI::IsMember({"viewer", "publisher", "operator", "admin"}));
  added
      ->add_option("--expires", options->expires,
                   "Refused after so long, such as 90d or 12h; without it never")
      ->check(CLI::Validator(test_span, "SPAN"));
  added->callback([&server, options] { add(server, *options); });

  auto* listed = key->add_subcommand("list", "All keys, with their role and last use");
  listed->callback([&server] { list(server); });

  auto* revoked = key->add_subcommand("revoke", "Refuse a key from now on");
  revoked->add_option("NAME", options->name, "The key's name")->required();
  revoked->callback([&server, options] { revoke(server, *options); });
}

}  // namespace ota::otactl
