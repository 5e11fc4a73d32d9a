// The least a service on Paho can do: every check is answered at once, from the library's callback, by an
// offer that was made beforehand. What the bridge adds (validation, the database, decisions) is measured
// against this.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "bench/paho_connect.hpp"

namespace ota::bench {
namespace {

int run(const PahoOptions& options, int payload_bytes) {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);  // before Paho starts its threads

  mqtt::async_client client("tcp://" + options.broker, "bench-responder",
                            mqtt::create_options(MQTTVERSION_5, kPahoBufferedMessagesMax));
  const std::string offer(static_cast<std::size_t>(payload_bytes), 'o');
  const std::string check_level = "/check";
  client.set_message_callback([&](const mqtt::const_message_ptr& message) {
    auto topic = message->get_topic();
    topic.replace(topic.size() - check_level.size(), check_level.size(), "/offer");
    try {
      client.publish(mqtt::make_message(topic, offer, 1, options.retained));
    } catch (const mqtt::exception& error) {
      std::fprintf(stderr, "publish: %s\n", error.what());
    }
  });
  connect_paho(client, options);
  client.subscribe(options.root + "/device/+/check", 1)->wait();
  std::printf("ready\n");
  std::fflush(stdout);
  int signal = 0;
  sigwait(&stop, &signal);
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace ota::bench

int main(int argc, char** argv) {
  ota::bench::PahoOptions options;
  int payload_bytes = 300;
  CLI::App app("Answers checks with bare Paho until SIGTERM; says `ready` when subscribed");
  app.add_option("--broker", options.broker, "host:port")->required();
  app.add_option("--username", options.username)->envname("MQTT_USERNAME");
  app.add_option("--password", options.password)->envname("MQTT_PASSWORD");
  app.add_option("--root", options.root);
  app.add_option("--bytes", payload_bytes, "of an offer")->check(CLI::Range(1, 1024));
  app.add_flag("--retained", options.retained, "offers are retained, as the bridge's are");
  CLI11_PARSE(app, argc, argv);
  return ota::bench::run(options, payload_bytes);
}
