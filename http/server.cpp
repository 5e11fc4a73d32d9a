#include "http/server.hpp"

#include "http/api.hpp"
#include "http/transport.hpp"

namespace ota::http {

struct Server::Impl {
  Impl(const ServerOptions& options, const Ports& ports) : api(options, ports), transport(options, api) {}
  Api api;
  Transport transport;
};

Server::Server(const ServerOptions& options, const Ports& ports)
    : impl_(std::make_unique<Impl>(options, ports)) {}
Server::~Server() = default;

fleet::Expected<int> Server::start() {
  return impl_->transport.start();
}

std::optional<fleet::Time> Server::certificate_ends_at() const {
  return impl_->transport.certificate_ends_at();
}

void Server::stop() {
  impl_->transport.stop();
}

}  // namespace ota::http
