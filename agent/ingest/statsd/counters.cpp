// Table: the StatsD side's own families, and what clients report of themselves.
#include "agent/ingest/statsd/counters.hpp"

#include <algorithm>
#include <span>

namespace midst::ingest::statsd {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;

constexpr MetricSpec lines{"midst_push_lines_total", MetricType::counter, "", "StatsD lines read, by way they came.",
                           "protocol"};
constexpr MetricSpec packets{"midst_push_packets_total", MetricType::counter, "",
                             "Datagrams read, and frames or reads of StatsD streams.", "protocol"};
constexpr MetricSpec bytes{"midst_push_statsd_bytes_total", MetricType::counter, "bytes", "Bytes of StatsD lines read.",
                           "protocol"};
constexpr MetricSpec truncated{"midst_push_truncated_packets_total", MetricType::counter, "",
                               "Datagrams longer than the agent reads; what was cut off is lost.", "protocol"};
constexpr MetricSpec line_errors{"midst_push_line_errors_total", MetricType::counter, "",
                                 "StatsD lines, or single values of them, that were dropped, by reason.", "reason"};
constexpr MetricSpec tag_errors{"midst_push_tag_errors_total", MetricType::counter, "",
                                "Tags that were dropped (malformed, bare) or joined (duplicate); their lines count.",
                                "reason"};
constexpr MetricSpec skipped{"midst_push_skipped_sections_total", MetricType::counter, "",
                             "Sections of StatsD lines that are not known here and were passed over."};
constexpr MetricSpec timestamps{"midst_push_ignored_timestamps_total", MetricType::counter, "",
                                "StatsD lines with a time of their own, which is not used."};
constexpr MetricSpec by_rule{"midst_push_dropped_by_rule_total", MetricType::counter, "",
                             "StatsD lines that a mapping rule drops."};
constexpr MetricSpec overflow{"midst_push_overflow_total", MetricType::counter, "",
                              "StatsD samples counted in an overflow series, by the limit that was reached.", "reason"};
constexpr MetricSpec contexts{"midst_push_contexts", MetricType::gauge, "", "Series held for StatsD clients."};
constexpr MetricSpec context_bytes{"midst_push_context_bytes", MetricType::gauge, "bytes",
                                   "Memory of the series of StatsD clients, about."};
constexpr MetricSpec memo{"midst_push_line_cache_bytes", MetricType::gauge, "bytes",
                          "Memory of the known forms of StatsD lines, about."};
constexpr MetricSpec events{"midst_push_events_total", MetricType::counter, "", "DogStatsD events, by alert type.",
                            "alert_type"};
constexpr MetricSpec stream_clients{"midst_push_stream_clients", MetricType::gauge, "",
                                    "StatsD clients connected to the stream socket."};
constexpr MetricSpec stream_ends{"midst_push_stream_disconnects_total", MetricType::counter, "",
                                 "Ended connections of the StatsD stream socket, by reason.", "reason"};

constexpr MetricSpec client_row(std::string_view name, std::string_view help) {
  return {name, MetricType::counter, "", help};
}

constexpr ClientReport client_reports[] = {
    {"metrics", client_row("midst_push_client_metrics_total", "Metrics that DogStatsD clients have been given.")},
    {"metrics_by_type",
     client_row("midst_push_client_metrics_by_type_total", "The same by type, in the label metrics_type.")},
    {"events", client_row("midst_push_client_events_total", "Events that DogStatsD clients have been given.")},
    {"service_checks",
     client_row("midst_push_client_service_checks_total", "Service checks that DogStatsD clients have been given.")},
    {"metric_dropped_on_receive", client_row("midst_push_client_metric_dropped_on_receive_total",
                                             "Metrics that DogStatsD clients dropped because their channel was full.")},
    {"packets_sent", client_row("midst_push_client_packets_sent_total", "Packets that DogStatsD clients have sent.")},
    {"packets_dropped",
     client_row("midst_push_client_packets_dropped_total", "Packets that DogStatsD clients have dropped.")},
    {"packets_dropped_queue", client_row("midst_push_client_packets_dropped_queue_total",
                                         "Packets dropped by DogStatsD clients because their queue was full.")},
    {"packets_dropped_writer",
     client_row("midst_push_client_packets_dropped_writer_total",
                "Packets dropped by DogStatsD clients because the socket did not take them.")},
    {"bytes_sent", client_row("midst_push_client_bytes_sent_total", "Bytes that DogStatsD clients have sent.")},
    {"bytes_dropped",
     client_row("midst_push_client_bytes_dropped_total", "Bytes that DogStatsD clients have dropped.")},
    {"bytes_dropped_queue", client_row("midst_push_client_bytes_dropped_queue_total",
                                       "Bytes dropped by DogStatsD clients because their queue was full.")},
    {"bytes_dropped_writer", client_row("midst_push_client_bytes_dropped_writer_total",
                                        "Bytes dropped by DogStatsD clients because the socket did not take them.")},
    {"aggregated_context",
     client_row("midst_push_client_aggregated_context_total", "Contexts that DogStatsD clients have flushed.")},
    {"aggregated_context_by_type",
     client_row("midst_push_client_aggregated_context_by_type_total", "The same by type, in the label metrics_type.")},
};

constexpr std::string_view protocol_words[protocol_count] = {"dogstatsd", "dogstatsd_stream", "udp"};
constexpr std::string_view tag_words[tag_fault_count] = {"malformed", "duplicate", "bare"};
constexpr std::string_view end_words[stream_end_count] = {"closed", "too_many_clients", "frame_too_long"};

void add(metrics::SnapshotBuilder& builder, const MetricSpec& spec, std::string_view label, std::string_view value,
         std::uint64_t count) {
  const metrics::Label pair{label, value};
  builder.family(spec).add(builder.labels(std::span(&pair, 1)), static_cast<double>(count));
}

}  // namespace

void write(metrics::SnapshotBuilder& builder, const Counters& counters, const Table& table, std::size_t memo_bytes) {
  for (std::size_t i = 0; i < protocol_count; ++i) {
    add(builder, lines, "protocol", protocol_words[i], counters.protocols[i].lines);
    add(builder, packets, "protocol", protocol_words[i], counters.protocols[i].packets);
    add(builder, bytes, "protocol", protocol_words[i], counters.protocols[i].bytes);
    if (i != static_cast<std::size_t>(Protocol::stream))
      add(builder, truncated, "protocol", protocol_words[i], counters.protocols[i].truncated);
  }
  for (std::size_t i = 1; i < fault_count; ++i)
    add(builder, line_errors, "reason", word(static_cast<Fault>(i)), counters.line_faults[i]);
  for (std::size_t i = 0; i < tag_fault_count; ++i)
    add(builder, tag_errors, "reason", tag_words[i], counters.tag_faults[i]);
  for (std::size_t i = 1; i < overflow_count; ++i)
    add(builder, overflow, "reason", word(static_cast<Overflow>(i)), counters.overflowed[i]);
  for (std::size_t i = 0; i < alert_types.size(); ++i)
    add(builder, events, "alert_type", alert_types[i], counters.events[i]);
  for (std::size_t i = 0; i < stream_end_count; ++i)
    add(builder, stream_ends, "reason", end_words[i], counters.stream_ends[i]);
  builder.add(skipped, static_cast<double>(counters.skipped_sections));
  builder.add(timestamps, static_cast<double>(counters.timestamps));
  builder.add(by_rule, static_cast<double>(counters.dropped_by_rule));
  builder.add(stream_clients, static_cast<double>(counters.stream_clients));
  builder.add(contexts, static_cast<double>(table.series_count()));
  builder.add(context_bytes, static_cast<double>(table.size_bytes()));
  builder.add(memo, static_cast<double>(memo_bytes));
}

std::vector<MetricSpec> own_specs() {
  std::vector<MetricSpec> specs{lines,   packets,    bytes,          truncated,   line_errors,  tag_errors,
                                skipped, timestamps, by_rule,        overflow,    contexts,     context_bytes,
                                memo,    events,     stream_clients, stream_ends, service_check};
  for (const auto& report : client_reports) specs.push_back(report.spec);
  return specs;
}

const ClientReport* find_client_report(std::string_view sent_name) noexcept {
  const auto* const found = std::find_if(std::begin(client_reports), std::end(client_reports),
                                         [&](const ClientReport& report) { return report.sent_name == sent_name; });
  return found == std::end(client_reports) ? nullptr : found;
}

}  // namespace midst::ingest::statsd
