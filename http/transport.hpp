#pragma once

#include <memory>

#include "http/api.hpp"
#include "http/server.hpp"

namespace ota::http {

/// HTTP/1.1 on sockets: the poller and the worker pool around cpp-httplib's reading of requests and writing
/// of responses. Finds each request's route, tests key and framing before a body is read, and calls the
/// handler.
class Transport {
 public:
  Transport(const ServerOptions& options, Api& api);
  ~Transport();

  [[nodiscard]] fleet::Expected<int> start();
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ota::http
