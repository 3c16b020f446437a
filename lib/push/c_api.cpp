// midst_push.h on top of client.hpp: no exception passes, and handles live as long as their client.
#include "lib/push/client.hpp"
#include "lib/push/midst_push.h"

#include <pthread.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace push = midst::push;

struct midst_push_series {
  std::variant<push::Counter, push::Gauge, push::Histogram> instrument;
};

struct midst_push_family {
  std::variant<push::Family<push::Counter>, push::Family<push::Gauge>, push::Family<push::Histogram>> family;
  std::size_t label_count = 0;
  std::unordered_map<const void*, std::unique_ptr<midst_push_series>> series;  ///< By what it counts in.
};

struct midst_push_client {
  explicit midst_push_client(push::ClientOptions options) : client(std::move(options)) {}
  push::Client client;
  std::unordered_map<std::string, std::unique_ptr<midst_push_family>> families;
};

namespace {

/// Of the maps of all handles, which only look-ups use. One for all, so that a fork can hold it.
std::mutex& handles() {
  static auto* const mutex = new std::mutex;  // never destroyed: the program may count until its very end
  return *mutex;
}

/// After the client has registered its own handlers, so that this lock is taken before those of the client.
void hold_handles_during_forks() {
  static const int registered =
      ::pthread_atfork([] { handles().lock(); }, [] { handles().unlock(); }, [] { handles().unlock(); });
  static_cast<void>(registered);
}

std::string_view text_of(const char* text) {
  return text == nullptr ? std::string_view() : std::string_view(text);
}

template <class Text>
std::vector<Text> texts_of(const char* const* texts, int64_t count) {
  std::vector<Text> found;
  for (int64_t i = 0; texts != nullptr && i < count; ++i) found.emplace_back(text_of(texts[i]));
  return found;
}

push::TraceContext trace_of(const uint8_t* trace_id, const uint8_t* span_id) {
  push::TraceContext trace;
  if (trace_id != nullptr) std::copy_n(trace_id, trace.trace_id.size(), trace.trace_id.begin());
  if (span_id != nullptr) std::copy_n(span_id, trace.span_id.size(), trace.span_id.begin());
  return trace;
}

/// Runs `work`; whatever it throws becomes its type's empty value.
template <class Work>
auto guarded(Work work) noexcept -> decltype(work()) {
  try {
    return work();
  } catch (...) {
    return decltype(work())();
  }
}

/// @param declare  makes the Family from options.
template <class Declare>
midst_push_family* declare(midst_push_client* client, const char* name, const char* help,
                           const char* const* label_names, int64_t label_count, Declare declare_family) noexcept {
  if (client == nullptr) return nullptr;
  return guarded([&]() -> midst_push_family* {
    push::FamilyOptions options;
    options.name = text_of(name);
    options.help = text_of(help);
    options.label_names = texts_of<std::string>(label_names, label_count);
    const auto count = options.label_names.size();
    const auto declared = declare_family(options);
    if (!declared.is_valid()) return nullptr;
    const std::lock_guard lock(handles());
    auto& family = client->families[options.name];
    if (!family) family = std::make_unique<midst_push_family>(midst_push_family{declared, count, {}});
    return family.get();
  });
}

template <class Instrument, class Work>
void use(const midst_push_series* series, Work work) noexcept {
  if (series == nullptr) return;
  if (const auto* instrument = std::get_if<Instrument>(&series->instrument)) work(*instrument);
}

}  // namespace

int64_t midst_push_abi(void) {
  return MIDST_PUSH_ABI;
}

midst_push_client* midst_push_open(const char* socket_path, const char* resource, int64_t flush_interval_ms,
                                   int64_t max_series, midst_push_problem on_problem, void* context) {
  return guarded([&] {
    push::ClientOptions options;
    if (socket_path != nullptr) options.socket_path = socket_path;
    options.resource = text_of(resource);
    if (flush_interval_ms > 0) options.flush_interval = std::chrono::milliseconds(flush_interval_ms);
    if (max_series > 0) options.max_series = static_cast<std::size_t>(max_series);
    if (on_problem != nullptr)
      options.on_problem = [on_problem, context](std::string_view what, std::string_view detail) {
        on_problem(context, std::string(what).c_str(), std::string(detail).c_str());
      };
    auto client = std::make_unique<midst_push_client>(std::move(options));
    hold_handles_during_forks();
    return client.release();
  });
}

void midst_push_close(midst_push_client* client) {
  delete client;
}

int midst_push_flush(midst_push_client* client, int64_t timeout_ms) {
  if (client == nullptr) return 0;
  constexpr int64_t day_ms = 86'400'000;  // more overflows the clock
  const std::chrono::milliseconds timeout(std::clamp<int64_t>(timeout_ms, 0, day_ms));
  return guarded([&] { return client->client.flush(timeout) ? 1 : 0; });
}

int midst_push_deliver_at_signal(int number) {
  return push::deliver_at_signal(number) ? 1 : 0;
}

midst_push_family* midst_push_counter(midst_push_client* client, const char* name, const char* help,
                                      const char* const* label_names, int64_t label_count) {
  return declare(client, name, help, label_names, label_count,
                 [&](push::FamilyOptions options) { return client->client.counter(std::move(options)); });
}

midst_push_family* midst_push_gauge(midst_push_client* client, const char* name, const char* help,
                                    const char* const* label_names, int64_t label_count, int merge) {
  if (merge < MIDST_PUSH_LAST || merge > MIDST_PUSH_MAX) return nullptr;
  return declare(client, name, help, label_names, label_count, [&](push::FamilyOptions options) {
    return client->client.gauge(std::move(options), static_cast<push::GaugeMerge>(merge));
  });
}

midst_push_family* midst_push_histogram(midst_push_client* client, const char* name, const char* help,
                                        const char* const* label_names, int64_t label_count, const double* bounds,
                                        int64_t bound_count) {
  return declare(client, name, help, label_names, label_count, [&](push::FamilyOptions options) {
    std::vector<double> own;
    if (bounds != nullptr && bound_count > 0) own.assign(bounds, bounds + bound_count);
    return client->client.histogram(std::move(options), std::move(own));
  });
}

midst_push_series* midst_push_series_of(midst_push_family* family, const char* const* label_values,
                                        int64_t label_count) {
  if (family == nullptr || label_count < 0 || static_cast<std::size_t>(label_count) != family->label_count)
    return nullptr;
  return guarded([&]() -> midst_push_series* {
    const auto values = texts_of<std::string_view>(label_values, label_count);
    return std::visit(
        [&](const auto& found) -> midst_push_series* {
          const auto instrument = found.with(values);
          if (instrument.identity() == nullptr) return nullptr;
          const std::lock_guard lock(handles());
          auto& series = family->series[instrument.identity()];
          if (!series) series = std::make_unique<midst_push_series>(midst_push_series{instrument});
          return series.get();
        },
        family->family);
  });
}

void midst_push_inc(midst_push_series* series) {
  midst_push_add(series, 1);
}

void midst_push_add(midst_push_series* series, double amount) {
  use<push::Counter>(series, [&](const push::Counter& counter) { counter.add(amount); });
  use<push::Gauge>(series, [&](const push::Gauge& gauge) { gauge.add(amount); });
}

void midst_push_set(midst_push_series* series, double value) {
  use<push::Gauge>(series, [&](const push::Gauge& gauge) { gauge.set(value); });
}

void midst_push_observe(midst_push_series* series, double value) {
  use<push::Histogram>(series, [&](const push::Histogram& histogram) { histogram.observe(value); });
}

void midst_push_observe_many(midst_push_series* series, const double* values, int64_t count) {
  if (values == nullptr || count <= 0) return;
  use<push::Histogram>(series, [&](const push::Histogram& histogram) {
    histogram.observe_many({values, static_cast<std::size_t>(count)});
  });
}

void midst_push_add_exemplar(midst_push_series* series, double amount, const uint8_t trace_id[16],
                             const uint8_t span_id[8]) {
  use<push::Counter>(series, [&](const push::Counter& counter) { counter.add(amount, trace_of(trace_id, span_id)); });
}

void midst_push_observe_exemplar(midst_push_series* series, double value, const uint8_t trace_id[16],
                                 const uint8_t span_id[8]) {
  use<push::Histogram>(
      series, [&](const push::Histogram& histogram) { histogram.observe(value, trace_of(trace_id, span_id)); });
}

void midst_push_remove(midst_push_family* family, const char* const* label_values, int64_t label_count) {
  if (family == nullptr || label_count < 0 || static_cast<std::size_t>(label_count) != family->label_count) return;
  const auto* gauges = std::get_if<push::Family<push::Gauge>>(&family->family);
  if (gauges == nullptr) return;
  guarded([&] {
    gauges->remove(texts_of<std::string_view>(label_values, label_count));
    return 0;
  });
}

void midst_push_get_stats(midst_push_client* client, midst_push_stats* stats, size_t size) {
  if (stats == nullptr) return;
  std::memset(stats, 0, size);
  if (client == nullptr) return;
  const auto now = guarded([&] { return client->client.stats(); });
  const auto number = [](std::uint64_t count) { return static_cast<int64_t>(count); };
  const midst_push_stats filled{number(now.flushes),           number(now.skipped_flushes), number(now.reconnects),
                                number(now.send_errors),       number(now.bytes_sent),      number(now.rejected_series),
                                number(now.overflowed_series), now.is_connected ? 1 : 0};
  std::memcpy(stats, &filled, std::min(size, sizeof filled));
}
