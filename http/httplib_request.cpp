#include "http/httplib_request.hpp"

#include <algorithm>
#include <limits>
#include <string_view>

#include "http/letters.hpp"
#include "http/params.hpp"

namespace ota::http {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

constexpr std::size_t kPieceBytes = 1024 * 1024;
constexpr std::size_t kCopiedBytes = 64 * 1024;

bool send_mapped(std::string_view rest, httplib::DataSink& sink) {
  while (!rest.empty()) {
    const auto piece = rest.substr(0, kPieceBytes);
    if (!sink.write(piece.data(), piece.size())) return false;
    rest.remove_prefix(piece.size());
  }
  return true;
}

// TLS reads the bytes before the kernel does.
bool send_copied(const fleet::Blob& blob, std::size_t offset, std::size_t size, httplib::DataSink& sink) {
  std::string piece;
  while (size > 0) {
    piece.resize(std::min(size, kCopiedBytes));
    if (!blob.copy(offset, piece.data(), piece.size()) || !sink.write(piece.data(), piece.size()))
      return false;
    offset += piece.size();
    size -= piece.size();
  }
  return true;
}

}  // namespace

Framing read_framing(const httplib::Request& request) {
  Framing framing;
  const auto encodings = request.get_header_value_count("Transfer-Encoding");
  const auto lengths = request.get_header_value_count("Content-Length");
  framing.has_body = encodings + lengths > 0;
  if (encodings > 0) {
    framing.chunked = true;
    if (encodings > 1 || lengths > 0) {
      framing.problem = "send either Content-Length or Transfer-Encoding, and once";
    } else if (!same_letters(request.get_header_value("Transfer-Encoding"), "chunked") ||
               request.version == "HTTP/1.0") {
      framing.problem = "the only Transfer-Encoding is chunked, in HTTP/1.1";
    }
  } else if (lengths > 0) {
    const auto length =
        parse_whole(request.get_header_value("Content-Length"), 0, std::numeric_limits<std::int64_t>::max());
    if (lengths > 1 || !length) {
      framing.problem = "Content-Length must be one whole number";
    } else {
      framing.length_bytes = static_cast<std::uint64_t>(*length);
      framing.has_body = *length > 0;
    }
  }
  return framing;
}

HttplibRequest::HttplibRequest(const httplib::Request& request, Connection& connection)
    : request_(request), connection_(connection) {
  peer = connection.peer();
  method = request.method;
  path = request.path;
  params = &request.params;
  encrypted = connection.is_tls();
  client_name = connection.client().name;
  client_serial = connection.client().serial;
}

std::optional<std::string_view> HttplibRequest::header(const std::string& name) const {
  const auto [first, last] = request_.headers.equal_range(name);
  if (first == last || std::next(first) != last) return std::nullopt;
  return std::string_view(first->second);
}

fleet::Error HttplibRequest::broken_body(const char* what) const {
  if (connection_.timed_out()) return {ErrorKind::too_slow, "the body came too slowly"};
  if (noted_->status == 413) return {ErrorKind::too_large, "the body is larger than allowed"};
  if (noted_->status == 415) return {ErrorKind::malformed, "send the body without Content-Encoding"};
  return {ErrorKind::malformed, what};
}

Expected<void> HttplibRequest::read_body(std::size_t bytes_max) {
  if (reader_ == nullptr) return {};
  bool too_long = false;
  const bool complete = (*reader_)([&](const char* bytes, std::size_t size) {
    too_long = body.size() + size > bytes_max;
    if (!too_long) body.append(bytes, size);
    return !too_long;
  });
  if (too_long) {
    return fleet::fail(ErrorKind::too_large,
                       "the body is larger than " + std::to_string(bytes_max) + " bytes");
  }
  if (!complete) return tl::unexpected(broken_body("the body did not arrive as its headers announce"));
  body_was_read_ = true;
  return {};
}

Expected<void> HttplibRequest::read_parts(const OnPart& on_part, const OnBytes& on_bytes) {
  if (reader_ == nullptr || !request_.is_multipart_form_data()) {
    return fleet::fail(ErrorKind::invalid, "send the image as multipart/form-data in a part named 'file'");
  }
  connection_.begin_transfer();
  Expected<void> outcome;
  const bool complete = (*reader_)(
      [&](const httplib::MultipartFormData& part) {
        outcome = on_part({part.name, part.filename});
        return outcome.has_value();
      },
      [&](const char* bytes, std::size_t size) {
        outcome = on_bytes({bytes, size});
        return outcome.has_value();
      });
  if (!outcome) return outcome;
  if (!complete) {
    return tl::unexpected(broken_body("the multipart body is broken or incomplete"));
  }
  body_was_read_ = true;
  return {};
}

void write_reply(Response&& from, Connection& connection, httplib::Response& to) {
  to.status = from.status;
  for (const auto& [name, value] : from.headers) to.set_header(name, value);
  if (!from.blob) {
    if (!from.body.empty()) to.set_content(std::move(from.body), from.content_type);
    return;
  }
  const auto length = from.length;
  to.set_content_provider(length, from.content_type,
                          [blob = std::move(from.blob), start = from.offset, &connection](
                              std::size_t offset, std::size_t size, httplib::DataSink& sink) {
                            connection.begin_transfer();
                            return connection.is_tls()
                                       ? send_copied(*blob, start + offset, size, sink)
                                       : send_mapped(blob->bytes().substr(start + offset, size), sink);
                          });
}

}  // namespace ota::http
