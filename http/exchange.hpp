#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fleet/expected.hpp"
#include "fleet/ip_address.hpp"
#include "fleet/ports/blobs.hpp"

namespace ota::http {

/// Decoded query parameters; a name may stand more than once.
using Params = std::multimap<std::string, std::string>;

/// One part of a multipart body, as its header names it.
struct Part {
  std::string name;
  std::string filename;
};

struct Response;

/// A request, as the handlers see it: no library's type. Lives as long as its handler runs; one thread.
class Request {
 public:
  virtual ~Request() = default;

  /// The value of a header that stands exactly once; nullopt otherwise.
  [[nodiscard]] virtual std::optional<std::string_view> header(const std::string& name) const = 0;
  /// How often a header stands.
  [[nodiscard]] virtual std::size_t header_count(const std::string& name) const = 0;

  /// Reads a multipart body piece by piece. Either callback answers an error to stop the reading, which then
  /// is the answer. Other errors: `malformed` (no or broken multipart), `too_large`, `too_slow`.
  using OnPart = std::function<fleet::Expected<void>(const Part& part)>;
  using OnBytes = std::function<fleet::Expected<void>(std::string_view bytes)>;
  [[nodiscard]] virtual fleet::Expected<void> read_parts(const OnPart& on_part, const OnBytes& on_bytes) = 0;

  /// For an answer that comes from another thread: what it answers is to be called once, with a function that
  /// makes the response; what the handler returns is then passed over. Empty when too many requests wait for
  /// such an answer already.
  using Later = std::function<void(std::function<Response()> make)>;
  [[nodiscard]] virtual Later answer_later() = 0;

  std::string_view method;
  std::string_view peer;           ///< the address at the other end of the connection
  fleet::IpAddress client;         ///< who asks: the same, or whom a trusted proxy names
  bool encrypted = false;          ///< it came over TLS
  std::string_view path;           ///< decoded, without the query
  const Params* params = nullptr;  ///< never null in a handler
  std::string_view captured;       ///< the path parameter; empty where the route has none
  std::string actor;  ///< name of the key that asks, for the audit log; empty where none is needed
  std::string body;   ///< of routes with a JSON body
  std::vector<std::string> warnings;  ///< what of the query was passed over, for answers that tell it
  /// CN of the client's certificate, which has been verified against HTTPS_CLIENT_CA; empty without one. Any
  /// text that the authority signed: what needs an id has to parse it.
  std::string_view client_name;
  std::string_view client_serial;  ///< its serial number in hex
};

/// What a handler answers: a text, or a stretch of an image.
struct Response {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::shared_ptr<const fleet::Blob> blob;  ///< set: the body is blob's bytes from `offset`, `length` of them
  std::size_t offset = 0;
  std::size_t length = 0;
};

}  // namespace ota::http
