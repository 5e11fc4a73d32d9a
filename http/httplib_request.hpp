#pragma once

#include <httplib.h>

#include <optional>
#include <string>

#include "http/connection.hpp"
#include "http/exchange.hpp"

// The bridge between the library's types and ours. Only transport.cpp and httplib_request.cpp include this:
// the library's header is heavy.
namespace ota::http {

/// The library's stream on our connection, whose limits then hold for every byte.
class ConnectionStream final : public httplib::Stream {
 public:
  explicit ConnectionStream(Connection& connection) : connection_(connection) {}
  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, std::size_t size) override { return connection_.read(to, size); }
  ssize_t write(const char* from, std::size_t size) override { return connection_.write(from, size); }
  void get_remote_ip_and_port(std::string& ip, int&) const override { ip = connection_.peer(); }
  void get_local_ip_and_port(std::string&, int&) const override {}
  // Not told: the library would only poll it, and refuse numbers beyond FD_SETSIZE.
  socket_t socket() const override { return -1; }

 private:
  Connection& connection_;
};

/// How a request's body is framed, told by its headers (RFC 9112 section 6).
struct Framing {
  bool has_body = false;
  bool chunked = false;
  std::uint64_t length_bytes = 0;  ///< without chunks
  std::string problem;             ///< not empty: 400
};
[[nodiscard]] Framing read_framing(const httplib::Request& request);

/// Our view of the library's request.
class HttplibRequest final : public Request {
 public:
  HttplibRequest(const httplib::Request& request, Connection& connection);
  /// Where the body comes from, and the response in which the library notes why it could not be read.
  void set_body(const httplib::ContentReader* reader, const httplib::Response* noted) {
    reader_ = reader;
    noted_ = noted;
  }

  std::optional<std::string_view> header(const std::string& name) const override;
  std::size_t header_count(const std::string& name) const override { return request_.headers.count(name); }
  fleet::Expected<void> read_parts(const OnPart& on_part, const OnBytes& on_bytes) override;
  /// Reads the whole body into `body`; at most `bytes_max`.
  [[nodiscard]] fleet::Expected<void> read_body(std::size_t bytes_max);
  Later answer_later() override { return later_ ? later_() : Later(); }
  void set_later(std::function<Later()> later) { later_ = std::move(later); }
  [[nodiscard]] bool body_was_read() const { return body_was_read_; }

 private:
  [[nodiscard]] fleet::Error broken_body(const char* what) const;

  const httplib::Request& request_;
  const httplib::ContentReader* reader_ = nullptr;
  const httplib::Response* noted_ = nullptr;
  Connection& connection_;
  std::function<Later()> later_;
  bool body_was_read_ = false;
};

/// Our answer as the library's.
void write_reply(Response&& from, Connection& connection, httplib::Response& to);

}  // namespace ota::http
