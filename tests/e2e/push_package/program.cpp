// A stranger's program in C++ against the installed headers: SOCKET NAME.
#include <midst/push/client.hpp>
#include <midst/push/http_metrics.hpp>

#include <chrono>
#include <string>

int main(int argc, char** argv) {
  if (argc != 3) return 64;
  midst::push::ClientOptions options;
  options.socket_path = argv[1];
  midst::push::Client client(options);
  const auto counter = client.counter("stranger_total", "Of a stranger.", {"program"}).with({argv[2]});
  for (int i = 0; i < 1000; ++i) counter.add();
  const auto sizes = client.histogram("stranger_bytes", "Of a stranger.", {1, 2}, {"program"}).with({argv[2]});
  sizes.observe(1.5);
  midst::push::HttpMetrics http(client, {});
  http.begin("GET").set_status(204);
  return client.flush(std::chrono::seconds(10)) ? 0 : 1;
}
