// The texts behind the query ids on the page, for GET /queries. The server reads its whole file of texts to answer for
// one, so they are asked for seldom, for ids that are new, and kept. Used by the Postgres source; pure, no clock.
#pragma once

#include "agent/sources/postgres/rows_to_samples.hpp"
#include "agent/sources/postgres/treatment.hpp"
#include "lib/base/deadline.hpp"
#include "lib/metrics/snapshot.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>

namespace midst::sources {

/// Texts of at most twice Limits::statements ids (those of statements and of the wait sampler), at most 1 KiB each.
class StatementTexts {
 public:
  explicit StatementTexts(const Limits& limits);

  /// Takes the query ids of a page; texts of others are forgotten.
  void want(const metrics::Snapshot& page);

  /// @return $1 of statement_texts_collector's statement when texts are missing and none were asked for in the last
  /// five minutes; it counts as asked then. An id without an answer is asked for again after an hour.
  [[nodiscard]] std::optional<std::string> due(Deadline now);

  /// Takes the answer: columns queryid and query.
  void take(const TableView& rows);

  /// @return [{"queryid":"-12","query":"SELECT …"}], by id, redacted.
  [[nodiscard]] std::string json() const;

 private:
  struct Text {
    std::optional<std::string> text;  ///< Redacted.
    std::optional<Deadline> asked_at;
  };

  std::size_t most_;
  std::map<std::string, Text, std::less<>> texts_;
  std::optional<Deadline> asked_at_;
};

}  // namespace midst::sources
