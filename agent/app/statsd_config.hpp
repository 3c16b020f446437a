// What [ingest.statsd] makes of the StatsD side, and its part of [ingest].
#pragma once

#include "agent/ingest/statsd/listener.hpp"
#include "agent/ingest/statsd/statsd.hpp"

#include <string>

namespace midst::app {

class Section;

struct StatsdConfig {
  std::string socket = "/run/midst-agent/dsd.sock";                ///< Unix datagrams; empty: none.
  std::string stream_socket = "/run/midst-agent/dsd-stream.sock";  ///< Unix streams; empty: none.
  /// The file names it: failing to bind it then ends the start.
  bool is_socket_explicit = false, is_stream_socket_explicit = false;
  std::string udp;  ///< "127.0.0.1:8125"; empty: none.
  ingest::statsd::ListenerOptions listener;
  ingest::statsd::StatsdOptions options;
};

/// Reads the keys of [ingest] that belong to StatsD, and [ingest.statsd] below it.
void read_statsd(Section& ingest, StatsdConfig& config);

}  // namespace midst::app
