#include "otactl/key.hpp"

#include <charconv>
#include <chrono>
#include <iostream>
#include <memory>

#include "fleet/iso_time.hpp"
#include "otactl/answer.hpp"
#include "otactl/command.hpp"
#include "otactl/table.hpp"

namespace ota::otactl {
namespace {

using nlohmann::json;

struct KeyOptions {
  std::string name;
  std::string role;
  std::string expires;  ///< such as 90d; empty: never
  bool as_json = false;
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
  print_secret(text_of(made, "key"), "the key is lost: take it back by otactl key revoke " + options.name +
                                         ", and make one of another name");
  std::cerr << "key " << options.name << " of role " << options.role << ": it is shown this once\n";
}

std::string state_of(const json& row) {
  if (!optional_text_of(row, "revoked_at").empty()) return "revoked";
  return has_passed(optional_text_of(row, "expires_at")) ? "expired" : "active";
}

void list(const ServerOptions& server, const KeyOptions& options) {
  auto client = RestClient::open_or_end(server);
  const auto answer = value_or_end(client.get("/api/admin/keys?limit=1000"));
  std::vector<std::vector<std::string>> rows = {
      {"NAME", "ROLE", "STATE", "EXPIRES", "LAST USED", "CREATED BY"}};
  for (const auto& row : list_of(answer, "keys")) {
    rows.push_back({text_of(row, "name"), text_of(row, "role"), state_of(row),
                    to_minute(optional_text_of(row, "expires_at"), "never"),
                    to_minute(optional_text_of(row, "last_used_at"), "never"),
                    optional_text_of(row, "created_by")});
  }
  if (options.as_json) {
    std::cout << answer.dump(2) << '\n';
  } else {
    print_table(rows);
  }
}

void revoke(const ServerOptions& server, const KeyOptions& options) {
  auto client = RestClient::open_or_end(server);
  say(value_or_end(client.remove("/api/admin/keys/" + RestClient::segment(options.name))));
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
  listed->add_flag("--json", options->as_json, "The server's answer as it is");
  listed->callback([&server, options] { list(server, *options); });

  auto* revoked = key->add_subcommand("revoke", "Refuse a key from now on");
  revoked->add_option("NAME", options->name, "The key's name")->required();
  revoked->callback([&server, options] { revoke(server, *options); });
}

}  // namespace ota::otactl
