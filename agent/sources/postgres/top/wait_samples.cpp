#include "agent/sources/postgres/top/wait_samples.hpp"

#include "agent/sources/postgres/catalog.hpp"

#include <algorithm>
#include <array>

namespace midst::sources {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;

constexpr std::string_view other = "_other";

constexpr MetricSpec samples_total{
    "pg_ash_samples_total", MetricType::counter, "",
    "Busy backends seen by the sampler, by what they waited for; CPU is no wait. Divided by the looks: how many at a "
    "time.",
    "backend_type,datname,wait_event,wait_event_type"};
constexpr MetricSpec query_samples_total{"pg_ash_query_samples_total", MetricType::counter, "",
                                         "Busy backends seen by the sampler, by the statement they ran.",
                                         "datname,queryid"};
constexpr MetricSpec ticks_total{"pg_ash_ticks_total", MetricType::counter, "", "Looks of the sampler."};
constexpr MetricSpec missed_total{"pg_ash_missed_ticks_total", MetricType::counter, "",
                                  "Looks of the sampler that were due and did not take place or failed."};
constexpr MetricSpec own_specs[] = {samples_total, query_samples_total, ticks_total, missed_total};

/// The classes of wait events, PostgreSQL 18 docs, table 27.4, and "CPU": what the rest is told apart by.
constexpr std::string_view wait_types[] = {"CPU",    "Activity",  "BufferPin",      "Buffer",
                                           "Client", "Extension", "InjectionPoint", "IO",
                                           "IPC",    "Lock",      "LWLock",         "Timeout"};

std::string_view rest_type(std::string_view type) {
  return std::find(std::begin(wait_types), std::end(wait_types), type) == std::end(wait_types) ? other : type;
}

/// Where the columns stand in an answer.
class Reader {
 public:
  explicit Reader(const TableView& rows) : rows_(rows) {
    for (std::size_t i = 0; i < names.size(); ++i)
      for (std::size_t at = 0; at < rows.columns.size(); ++at)
        if (rows.columns[at] == names[i]) at_[i] = at;
  }

  enum Name : std::size_t { datname, backend_type, wait_event_type, wait_event, query_id, count };

  [[nodiscard]] std::optional<std::string_view> cell(std::size_t row, Name name) const {
    return at_[name] ? rows_.cell(rows_.rows, row, *at_[name]) : std::nullopt;
  }

 private:
  static constexpr std::array<std::string_view, 6> names{"datname",    "backend_type", "wait_event_type",
                                                         "wait_event", "query_id",     "count"};
  const TableView& rows_;
  std::array<std::optional<std::size_t>, 6> at_{};
};

}  // namespace

WaitSamples::WaitSamples(const Limits& limits)
    : waits_({"datname", "backend_type", "wait_event_type", "wait_event"}, limits.waits, limits.hold),
      queries_({"datname", "queryid"}, limits.statements, limits.hold) {
}

Interpretation WaitSamples::take(const TableView& rows, Deadline now) {
  Interpretation result;
  ++ticks_;
  const Reader reader(rows);
  const auto row_count = std::min(rows.row_count, wait_samples_collector.queries.front().max_rows);
  result.rows_over_limit = rows.row_count - row_count;
  for (std::size_t row = 0; row < row_count; ++row) {
    const auto count = parse_value(reader.cell(row, Reader::count).value_or(""));
    if (!count || !(*count > 0)) {
      ++result.unreadable;
      continue;
    }
    const auto datname = reader.cell(row, Reader::datname).value_or("");
    const auto type = reader.cell(row, Reader::wait_event_type).value_or("CPU");
    const std::array labels{datname, reader.cell(row, Reader::backend_type).value_or(""), type,
                            reader.cell(row, Reader::wait_event).value_or("CPU")};
    const std::array rest{other, other, rest_type(type), other};
    waits_.count(labels, rest, *count);
    if (const auto query = reader.cell(row, Reader::query_id))
      queries_.count(std::array{datname, *query}, std::array{other, other}, *count);
    ++result.samples;
  }
  waits_.end_look(now);
  queries_.end_look(now);
  return result;
}

void WaitSamples::add(std::span<const metrics::Label> extra, metrics::SnapshotBuilder& builder) {
  waits_.add(extra, builder.family(samples_total), builder);
  queries_.add(extra, builder.family(query_samples_total), builder);
  const auto labels = builder.labels(extra);
  builder.family(ticks_total).add(labels, static_cast<double>(ticks_));
  builder.family(missed_total).add(labels, static_cast<double>(missed_));
}

std::span<const MetricSpec> WaitSamples::specs() noexcept {
  return own_specs;
}

}  // namespace midst::sources
