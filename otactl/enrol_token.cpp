#include "otactl/enrol_token.hpp"

#include <iostream>
#include <memory>

#include "otactl/answer.hpp"
#include "otactl/command.hpp"
#include "otactl/table.hpp"

namespace ota::otactl {
namespace {

using nlohmann::json;

constexpr const char* kRoute = "/api/admin/enrolment-tokens";

struct TokenOptions {
  std::int64_t id = 0;
  std::string device_id;
  std::string model;
  int hours = 24;
  bool as_json = false;
};

void create(const ServerOptions& server, const TokenOptions& options) {
  const auto answer =
      value_or_end(RestClient::open_or_end(server).post(kRoute, {{"device_id", options.device_id},
                                                                 {"device_model", options.model},
                                                                 {"valid_minutes", options.hours * 60}}));
  const auto id = std::to_string(number_of(answer, "id"));
  const auto until = text_of(answer, "expires_at");
  print_secret(text_of(answer, "token"),
               "the token is lost: withdraw it by otactl enrol-token revoke " + id + ", and make another");
  std::cerr << "token " << id << ", until " << until << '\n';
}

std::string state_of(const json& row) {
  if (!optional_text_of(row, "used_at").empty()) return "used";
  if (!optional_text_of(row, "revoked_at").empty()) return "revoked";
  return has_passed(optional_text_of(row, "expires_at")) ? "expired" : "open";
}

std::string text_or(const json& row, const char* member, const char* otherwise) {
  const auto text = optional_text_of(row, member);
  return text.empty() ? otherwise : text;
}

void list(const ServerOptions& server, bool as_json) {
  const auto answer = value_or_end(RestClient::open_or_end(server).get(std::string(kRoute) + "?limit=500"));
  std::vector<std::vector<std::string>> rows = {
      {"ID", "DEVICE", "MODEL", "STATE", "UNTIL", "CREATED BY", "USED BY"}};
  for (const auto& row : list_of(answer, "tokens")) {
    rows.push_back({std::to_string(number_of(row, "id")), text_or(row, "device_id", "any new"),
                    text_or(row, "device_model", "any"), state_of(row),
                    to_minute(optional_text_of(row, "expires_at"), "never"),
                    optional_text_of(row, "created_by"), optional_text_of(row, "used_by")});
  }
  if (as_json) {
    std::cout << answer.dump(2) << '\n';
  } else {
    print_table(rows);
  }
}

}  // namespace

void add_enrol_token(CLI::App& app, const ServerOptions& server) {
  auto* tokens =
      app.add_subcommand("enrol-token", "One-time tokens by which devices get their first certificate");
  tokens->require_subcommand(1);
  tokens->fallthrough();
  const auto options = std::make_shared<TokenOptions>();

  auto* created = tokens->add_subcommand("create", "Make a token; it is shown this once");
  created->add_option("--device", options->device_id, "the one device it is for (default: any new one)");
  created->add_option("--model", options->model, "the model it is for (default: any)");
  created->add_option("--hours", options->hours, "how long it can be used (default 24)")
      ->check(CLI::Range(1, 8784));
  created->callback([=, &server] { create(server, *options); });

  auto* listed = tokens->add_subcommand("list", "List tokens, newest first; never the tokens themselves");
  listed->add_flag("--json", options->as_json, "the server's answer as it is");
  listed->callback([=, &server] { list(server, options->as_json); });

  auto* revoked = tokens->add_subcommand("revoke", "Withdraw a token that was not used");
  revoked->add_option("TOKEN_ID", options->id, "its number, as list shows it")->required();
  revoked->callback([=, &server] {
    say(value_or_end(
        RestClient::open_or_end(server).remove(std::string(kRoute) + "/" + std::to_string(options->id))));
  });
}

}  // namespace ota::otactl
