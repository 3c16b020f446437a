// From a parsed metric to the series it means: mapping rules, names that Prometheus takes, labels. Asked once for each
// form of a line.
#pragma once

#include "agent/ingest/statsd/counters.hpp"
#include "agent/ingest/statsd/line.hpp"
#include "agent/ingest/statsd/mapping.hpp"
#include "agent/ingest/statsd/table.hpp"
#include "lib/metrics/family.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace midst::ingest::statsd {

/// What a tag without a value becomes.
enum class BareTags : std::uint8_t { label, drop };

struct ResolveOptions {
  std::vector<MappingRule> rules;
  std::vector<double> bounds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};  ///< Of histograms.
  std::uint32_t ttl_seconds = 0;  ///< After which a series without samples is not shown any more; 0: never.
  BareTags bare_tags = BareTags::label;
};

/// What a metric means. Its views last until the next resolve().
struct Resolved {
  Fault fault = Fault::none;
  bool is_dropped = false;  ///< By a rule.
  FamilyWish family;
  std::vector<metrics::Label> labels;
  std::uint32_t ttl_seconds = 0;
  double scale = 1;
  std::uint16_t divisor = 1;  ///< 1000 for ms, which become seconds.
  std::array<unsigned, tag_fault_count> tag_faults{};
};

class Resolver {
 public:
  /// @param options  rules of which check() takes each.
  explicit Resolver(ResolveOptions options);

  /// @param metric  whose text is valid UTF-8.
  [[nodiscard]] const Resolved& resolve(const Metric& metric);

 private:
  void add_tags(const Metric& metric);
  void add_tag(const Tag& tag);
  void add_label(std::string name, std::string_view value);
  void apply_rule(const Mapper::Match& match);
  void take_client_report(const ClientReport& report);
  void set_family(std::string_view name, Type type);

  const ResolveOptions options_;
  const Mapper mapper_;
  metrics::OwnedLabels labels_;
  Resolved resolved_;
};

/// @return the text with every character that is not of [A-Za-z0-9_] as '_', several '-' as one, and no digit first.
[[nodiscard]] std::string escaped_name(std::string_view name);

}  // namespace midst::ingest::statsd
