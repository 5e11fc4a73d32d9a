#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "fleet/time.hpp"
#include "http/tls_files.hpp"

struct ssl_st;
struct ssl_ctx_st;

namespace ota::http {

/// The server's side of TLS, kept current: rereads its files within seconds when they change, and makes new
/// ticket keys twice a day. Files that do not fit together leave what was there in force. Outlives its
/// sessions. Thread safe.
class TlsServer {
 public:
  /// `invalid`, naming the variable, when the files cannot be used; warnings are logged.
  [[nodiscard]] static fleet::Expected<std::unique_ptr<TlsServer>> open(const TlsFiles& files);
  ~TlsServer();
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;

  /// A new connection's OpenSSL object, the caller's to free; nullptr when out of memory.
  [[nodiscard]] ssl_st* make_session() const;
  /// Rises when the clients' authorities or their revocation lists have changed.
  [[nodiscard]] std::uint64_t trust_revision() const {
    return trust_revision_.load(std::memory_order_acquire);
  }
  /// When the certificate that is served now ends.
  [[nodiscard]] fleet::Time certificate_ends_at() const {
    return certificate_ends_at_.load(std::memory_order_relaxed);
  }
  /// Whether the client certificate of a session, if it has one, would be accepted now.
  [[nodiscard]] bool still_trusts(const ssl_st* session) const;

 private:
  using Clock = std::chrono::steady_clock;
  /// What tells that a file was replaced or written.
  struct Stamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size_bytes = 0;
    std::int64_t modified_ns = 0;
    bool operator==(const Stamp& other) const {
      return device == other.device && inode == other.inode && size_bytes == other.size_bytes &&
             modified_ns == other.modified_ns;
    }
  };
  using Stamps = std::array<Stamp, 4>;

  explicit TlsServer(const TlsFiles& files);
  [[nodiscard]] static Stamp stamp_of(const std::string& path);
  [[nodiscard]] Stamps stamps() const;
  [[nodiscard]] fleet::Expected<void> load(const Stamps& seen);
  void watch();
  void look_again();
  [[nodiscard]] std::shared_ptr<ssl_ctx_st> context() const;

  const TlsFiles files_;
  mutable std::mutex mutex_;
  std::shared_ptr<ssl_ctx_st> context_;
  std::atomic<std::uint64_t> trust_revision_{1};
  std::atomic<fleet::Time> certificate_ends_at_{};

  // The watching thread's own.
  Stamps loaded_{};  // in force
  Stamps tried_{};   // of the last attempt
  Stamps last_seen_{};
  Clock::time_point made_at_{};

  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace ota::http
