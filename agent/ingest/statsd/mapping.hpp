// Rules that rename StatsD metrics and give them labels, with statsd_exporter's vocabulary. Pure; asked once for each
// form of a line.
#pragma once

#include "agent/ingest/statsd/line.hpp"
#include "lib/base/error.hpp"
#include "lib/metrics/family.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace midst::ingest::statsd {

struct MappingRule {
  enum class Match : std::uint8_t { glob, regex };
  enum class Only : std::uint8_t { any, counter, gauge, observer, set };
  enum class Action : std::uint8_t { map, drop };

  std::string pattern;  ///< Glob: "*" stands for one part between dots. Regex: RE2's, found anywhere in the name.
  Match match = Match::glob;
  Only only = Only::any;  ///< The types it is for; an observer is ms, h or d.
  Action action = Action::map;
  std::string name;             ///< With $1 or ${1} for what the pattern's first "*" or group stands for.
  metrics::OwnedLabels labels;  ///< Values have such places too.
  bool honor_labels = false;    ///< A tag of the same name stays; else the rule's label stands in its place.
  std::string help;             ///< Empty: said as for a metric without a rule.
  double scale = 1;             ///< Values are multiplied by it.
  std::optional<std::uint32_t> ttl_seconds;  ///< Nothing: that of the options; 0: never.
  std::vector<double> bounds;                ///< Of the histogram; empty: those of the options.
};

/// @return what is wrong with a rule by itself, Errc::config.
[[nodiscard]] Result<Done> check(const MappingRule& rule);

class Mapper {
 public:
  /// @param rules  each of which check() takes. Globs are tried before expressions, among them the first one wins.
  explicit Mapper(std::vector<MappingRule> rules);
  ~Mapper();
  Mapper(const Mapper&) = delete;
  Mapper& operator=(const Mapper&) = delete;

  struct Match {
    const MappingRule* rule = nullptr;
    std::string name;  ///< Of the rule, with its places filled in; so are the labels' values.
    metrics::OwnedLabels labels;
  };
  /// @return whether a rule takes the metric of this name, as its client wrote it, without tags.
  [[nodiscard]] bool find(std::string_view name, Type type, Match& match) const;

 private:
  class Globs;
  struct Expression;

  const std::vector<MappingRule> rules_;
  std::unique_ptr<Globs> globs_;
  std::vector<Expression> expressions_;
};

}  // namespace midst::ingest::statsd
