#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

/// Every limit that somebody outside can run into: devices, admins, and whoever else reaches a port. The
/// comment says what happens there; docs/limits.md is the same as a table, and the style test keeps the two
/// alike. What only tunes the inside (sizes of batches, pauses) stays with its code.
namespace ota::fleet {

// ---- HTTP (contract section 1; endurance 4, 5, 23, 24) ----

/// Head of a request, all lines together; beyond it 431 and the connection is closed.
inline constexpr std::size_t kRequestHeadBytesMax = 32768;
/// First line of a request, and each header line; beyond it 414, or 431. The HTTP library's, tested against
/// it.
inline constexpr std::size_t kRequestLineBytesMax = 8192;
/// Header lines of a request; beyond it 431. The HTTP library's, tested against it.
inline constexpr std::size_t kRequestHeadersMax = 100;
/// JSON text taken from outside; beyond it 413.
inline constexpr std::size_t kJsonBytesMax = 65536;
/// JSON body of routes that take lists of devices: two of 10 000 ids; beyond it 413.
inline constexpr std::size_t kLongJsonBytesMax = 2097152;
/// Levels that JSON from outside may nest, tested while reading; beyond it 400.
inline constexpr int kJsonDepthMax = 16;
/// An image, unless UPLOAD_BYTES_MAX says otherwise; beyond it 413, and nothing is kept.
inline constexpr std::int64_t kUploadBytesMax = 67108864;
/// Images received at a time; one more is answered 503 with Retry-After before its body is read.
inline constexpr int kUploadsMax = 4;
/// Connections served at a time, unless HTTP_THREADS says otherwise; three quarters may be downloads, one
/// more is answered 503 with Retry-After.
inline constexpr int kHttpThreadsMax = 512;
/// Open connections, idle ones included; beyond it the one idle for longest is closed.
inline constexpr std::size_t kHttpConnectionsMax = 8192;
/// Requests of devices that wait for their commit; beyond it 503 with Retry-After.
inline constexpr int kWaitingAnswersMax = 4096;
/// How long a device's request waits for its commit; then 503 with Retry-After.
inline constexpr std::chrono::seconds kAnswerWaitMax{10};
/// For a head and a JSON body to arrive as a whole; then the connection is closed.
inline constexpr std::chrono::seconds kRequestTimeMax{20};
/// Until an idle connection is closed, and one whose read or write does not move.
inline constexpr std::chrono::seconds kIdleTimeMax{5};
/// An image's way in or out, over a minute; slower ones are cut.
inline constexpr std::int64_t kTransferBytesPerSecondMin = 256;
/// TLS handshakes whose next step waits for a processor, some seconds of work; one more is closed.
inline constexpr std::size_t kWaitingHandshakesMax = 2048;
/// Certificates that a TLS client shows; more end the handshake.
inline constexpr std::size_t kClientChainBytesMax = 32768;
/// Rows of one answer of a list; a `limit` beyond it is 422. More comes by cursor.
inline constexpr int kListRowsMax = 500;
/// The same of the list of releases.
inline constexpr int kReleaseRowsMax = 100;

// ---- Messages of devices, over REST and MQTT alike (contract sections 1 and 4; endurance 7, 22, 23, 25)
// ----

/// Device id, model and version; beyond it 422, or a refusal on the device's offer or ack topic.
inline constexpr std::size_t kIdCharsMax = 64;
/// error_message; a longer one is cut at a UTF-8 boundary, never refused.
inline constexpr std::size_t kErrorMessageBytesMax = 1024;
/// report_id; a longer one is refused.
inline constexpr std::size_t kReportIdBytesMax = 64;
/// What a device says of itself (`metadata`); more is refused.
inline constexpr std::size_t kReportedBytesMax = 4096;
/// An MQTT message of a device, as large as the same in a REST body; a larger one is refused and counted. The
/// broker's max_packet_size stands before it.
inline constexpr std::size_t kDeviceMessageBytesMax = 65536;
/// Messages of one device per second, unless DEVICE_MESSAGES_PER_SECOND says otherwise; what exceeds it is
/// 429 with Retry-After over REST; over MQTT it gets no answer and no ack, so the device sends it again.
/// Counted.
inline constexpr int kDeviceMessagesPerSecond = 5;
/// How many a device may send at once after a silence, at least; four seconds' worth where that is more.
inline constexpr int kDeviceBurstMessages = 20;
/// Messages that wait for the database, per writer; one more is answered 503, or left unacknowledged.
inline constexpr std::size_t kInboxMessagesMax = 20000;
/// Publications that wait for the broker; one more is dropped, and what it told stays due in the database.
inline constexpr std::size_t kWaitingPublicationsMax = 50000;
/// Answer to a plain check and every offer, because clients parse it in such a buffer: notes are cut first, a
/// manifest goes by manifest_url.
inline constexpr std::size_t kOfferBytesMax = 1024;
/// Release notes and reasons in such an answer; cut at a UTF-8 boundary.
inline constexpr std::size_t kNotesBytesMax = 256;

// ---- Admins' input ----

/// A signed manifest, large enough for a signature of RSA-3072; beyond it 413.
inline constexpr std::size_t kManifestBytesMax = 1024;
/// Stages of a rollout; more are 422, as with all below.
inline constexpr std::size_t kStagesMax = 50;
/// Abort criteria of a rollout.
inline constexpr std::size_t kCriteriaMax = 20;
/// Maintenance windows of a rollout.
inline constexpr std::size_t kWindowsMax = 50;
/// A rollout's name.
inline constexpr std::size_t kRolloutNameBytesMax = 200;
/// A rollout's salt.
inline constexpr std::size_t kSaltBytesMax = 64;
/// The reason of an order, for the audit log.
inline constexpr std::size_t kWhyBytesMax = 500;
/// A group's name.
inline constexpr std::size_t kGroupBytesMax = 200;
/// Groups of one device.
inline constexpr std::size_t kGroupsMax = 100;
/// Devices that one request adds to a group, or takes out.
inline constexpr std::size_t kGroupDevicesMax = 10000;

// ---- Keys of the admin routes (endurance 31, 32) ----

/// Keys that are not revoked, at a time: every bridge holds them in memory. One more is 409; the list of keys
/// has no more rows either.
inline constexpr int kKeysMax = 1000;
/// Wrong keys from one address (IPv6: one /64) within kWrongKeysWindow; beyond it none of its keys is looked
/// at for a while: 429 with Retry-After.
inline constexpr int kWrongKeysMax = 10;
/// Over which they are counted.
inline constexpr std::chrono::seconds kWrongKeysWindow{60};
/// How long an address's keys are passed over the first time; each further wrong key doubles it.
inline constexpr std::chrono::seconds kWrongKeysWait{30};
/// The longest they are passed over.
inline constexpr std::chrono::seconds kWrongKeysWaitMax{480};
/// An address without wrong keys for so long begins anew.
inline constexpr std::chrono::seconds kWrongKeysForgotten{900};
/// Addresses whose wrong keys are counted; beyond it the one without a wrong key for longest is forgotten.
inline constexpr std::size_t kWrongKeyAddressesMax = 10000;

// ---- Devices' identities ----

/// A certificate request; one of an RSA key of 4096 bits has some 1700 bytes. Beyond it 422.
inline constexpr std::size_t kCsrBytesMax = 8192;
/// Certificates of one device that are valid at a time: enough for one that lost an answer now and then, too
/// few to fill the database; one more is 409.
inline constexpr int kLiveCertificatesMax = 20;
/// Serial numbers that one revocation names; more are 422.
inline constexpr std::size_t kSerialsMax = 100;
/// Text sent as an enrolment token; more is 422.
inline constexpr std::size_t kEnrolmentTokenBytesMax = 128;
/// Life of an enrolment token, a leap year; more is 422.
inline constexpr int kEnrolmentTokenMinutesMax = 527040;
/// Devices that enrol or renew at a time, because strangers may ask and each may cost a signature.
inline constexpr int kEnrolmentsMax = 2;
/// How many may wait for that; one more is answered 503 with Retry-After.
inline constexpr std::size_t kWaitingEnrolmentsMax = 64;

}  // namespace ota::fleet
