#include "agent/ingest/counters.hpp"

#include <span>

namespace midst::ingest {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;
using push::wire::Refusal;

constexpr MetricSpec clients{"midst_push_clients", MetricType::gauge, "",
                             "Push clients by state: connected, or lost within the grace period.", "state"};
constexpr MetricSpec clients_total{"midst_push_clients_total", MetricType::counter, "", "Push client instances seen."};
constexpr MetricSpec series{"midst_push_series", MetricType::gauge, "", "Series held for push clients."};
constexpr MetricSpec families{"midst_push_families", MetricType::gauge, "", "Families held for push clients."};
constexpr MetricSpec frames{"midst_push_frames_total", MetricType::counter, "",
                            "Frames of the native protocol, by type.", "type"};
constexpr MetricSpec bytes{"midst_push_received_bytes_total", MetricType::counter, "bytes",
                           "Bytes read from push clients."};
constexpr MetricSpec samples{"midst_push_samples_total", MetricType::counter, "", "Pushed values applied."};
constexpr MetricSpec dropped{"midst_push_dropped_total", MetricType::counter, "",
                             "Pushed values that were not applied, by reason.", "reason"};
constexpr MetricSpec series_rejected{"midst_push_series_rejected_total", MetricType::counter, "",
                                     "Series refused or sent to an overflow series, by reason.", "reason"};
constexpr MetricSpec families_rejected{"midst_push_families_rejected_total", MetricType::counter, "",
                                       "Families refused, by reason.", "reason"};
constexpr MetricSpec disconnects{"midst_push_disconnects_total", MetricType::counter, "",
                                 "Ended push connections, by reason.", "reason"};
constexpr MetricSpec shared_memory{"midst_push_shared_memory_total", MetricType::counter, "",
                                   "Memory that clients have passed along to be read, by what came of it.", "outcome"};
constexpr MetricSpec state_kept{"midst_push_state_kept", MetricType::gauge, "",
                                "Whether totals survive the end of this process; 0 without a state file."};
constexpr MetricSpec state_checkpoints{"midst_push_state_checkpoints_total", MetricType::counter, "",
                                       "Times the state file was written anew, with everything in it."};
constexpr MetricSpec state_set_aside{"midst_push_state_set_aside_total", MetricType::counter, "",
                                     "State files that were found damaged or foreign and were not used."};
constexpr MetricSpec skipped{"midst_push_client_skipped_flushes_total", MetricType::counter, "",
                             "Flushes that clients skipped because the agent was away or busy; nothing is lost by it."};
constexpr MetricSpec reconnects{"midst_push_client_reconnects_total", MetricType::counter, "",
                                "Reconnects that clients report."};
constexpr MetricSpec send_errors{"midst_push_client_send_errors_total", MetricType::counter, "",
                                 "Broken connections and unanswered frames that clients report."};
constexpr MetricSpec overflowed{"midst_push_client_overflowed_series_total", MetricType::counter, "",
                                "Series look-ups that clients answered with an overflow series."};

constexpr std::string_view frame_words[] = {"ignored", "hello", "welcome", "family", "series", "snap", "ack", "bye"};
/// The frames that clients send; index is wire::Type.
constexpr std::size_t received_types[] = {0, 1, 3, 4, 5, 7};

constexpr Refusal series_reasons[] = {Refusal::invalid,      Refusal::unknown_family, Refusal::redefined,
                                      Refusal::client_limit, Refusal::family_limit,   Refusal::total_limit};
constexpr Refusal family_reasons[] = {Refusal::invalid,        Refusal::reserved_name,   Refusal::type_conflict,
                                      Refusal::label_conflict, Refusal::bounds_conflict, Refusal::merge_conflict,
                                      Refusal::redefined,      Refusal::too_many};

void add(metrics::SnapshotBuilder& builder, const MetricSpec& spec, std::string_view label, std::string_view value,
         std::uint64_t count) {
  const metrics::Label pair{label, value};
  builder.family(spec).add(builder.labels(std::span(&pair, 1)), static_cast<double>(count));
}

}  // namespace

std::string_view word(Drop reason) noexcept {
  static constexpr std::string_view words[drop_count] = {"unknown_series", "refused_series",  "counter_decrease",
                                                         "invalid_value",  "bucket_mismatch", "exemplar_limit"};
  return words[static_cast<std::size_t>(reason)];
}

std::string_view word(Disconnect reason) noexcept {
  static constexpr std::string_view words[disconnect_count] = {
      "bye",        "closed",           "protocol_error", "hello_timeout", "slow_reader",
      "superseded", "too_many_clients", "not_allowed",    "shutdown"};
  return words[static_cast<std::size_t>(reason)];
}

void write(metrics::SnapshotBuilder& builder, const Counters& counters, const Levels& levels) {
  add(builder, clients, "state", "connected", levels.attached);
  add(builder, clients, "state", "lost", levels.detached);
  builder.add(clients_total, static_cast<double>(counters.instances));
  builder.add(series, static_cast<double>(levels.series));
  builder.add(families, static_cast<double>(levels.families));
  for (const auto type : received_types) add(builder, frames, "type", frame_words[type], counters.frames[type]);
  builder.add(bytes, static_cast<double>(counters.bytes));
  builder.add(samples, static_cast<double>(counters.samples));
  for (std::size_t i = 0; i < drop_count; ++i)
    add(builder, dropped, "reason", word(static_cast<Drop>(i)), counters.dropped[i]);
  for (const auto reason : series_reasons)
    add(builder, series_rejected, "reason", word(reason), counters.series_refused[static_cast<std::size_t>(reason)]);
  for (const auto reason : family_reasons)
    add(builder, families_rejected, "reason", word(reason),
        counters.families_refused[static_cast<std::size_t>(reason)]);
  for (std::size_t i = 0; i < disconnect_count; ++i)
    add(builder, disconnects, "reason", word(static_cast<Disconnect>(i)), counters.disconnects[i]);
  builder.add(skipped, static_cast<double>(counters.clients.skipped_flushes));
  builder.add(reconnects, static_cast<double>(counters.clients.reconnects));
  builder.add(send_errors, static_cast<double>(counters.clients.send_errors));
  builder.add(overflowed, static_cast<double>(counters.clients.overflowed_series));
  add(builder, shared_memory, "outcome", "taken", counters.memories_taken);
  add(builder, shared_memory, "outcome", "refused", counters.memories_refused);
  builder.add(state_kept, levels.is_state_kept ? 1 : 0);
  builder.add(state_checkpoints, static_cast<double>(counters.state_checkpoints));
  builder.add(state_set_aside, static_cast<double>(counters.state_set_aside));
}

std::vector<MetricSpec> own_specs() {
  return {clients,        clients_total, series,          families,          frames,      bytes,
          samples,        dropped,       series_rejected, families_rejected, disconnects, skipped,
          reconnects,     send_errors,   overflowed,      shared_memory,     state_kept,  state_checkpoints,
          state_set_aside};
}

}  // namespace midst::ingest
