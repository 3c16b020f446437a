// SHOW POOLS and SHOW USERS: rows as they are while there are few; the busiest and a sum of the rest when there are
// many.
#include "agent/sources/postgres/pgbouncer/kept_rows.hpp"
#include "agent/sources/postgres/pgbouncer/treatments.hpp"
#include "lib/base/text.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <span>

namespace midst::sources {
namespace {

/// How the rows of a command are ranked and summed up.
struct Folding {
  std::span<const std::string_view> names;  ///< Tell the rows apart.
  std::span<const std::string_view> busy;   ///< Their sum is a row's rank, and the rest's value.
  std::string_view urgent = {};             ///< A row where this is not zero goes first.
  std::string_view longest = {};            ///< The rest has the largest one, …
  std::string_view longest_remainder = {};  ///< … with this part of it.
};

constexpr std::string_view pool_names[] = {"database", "user"};
constexpr std::string_view pool_busy[] = {"cl_active",
                                          "cl_waiting",
                                          "cl_active_cancel_req",
                                          "cl_waiting_cancel_req",
                                          "cl_cancel_req",
                                          "sv_active",
                                          "sv_active_cancel",
                                          "sv_being_canceled",
                                          "sv_idle",
                                          "sv_used",
                                          "sv_tested",
                                          "sv_login"};
constexpr Folding pools{pool_names, pool_busy, "cl_waiting", "maxwait", "maxwait_us"};

constexpr std::string_view user_names[] = {"name"};
constexpr std::string_view user_busy[] = {"current_connections", "current_client_connections"};
constexpr Folding users{user_names, user_busy};

class BusiestRows final : public Treatment {
 public:
  BusiestRows(const Folding& folding, std::size_t limit, bool has_idle, const Limits& limits)
      : folding_(folding), has_idle_(has_idle), choice_(limit, limits.hold) {}

  Interpretation take(std::span<const Query* const> queries, std::span<const TableView> answers,
                      Deadline now) override {
    query_ = queries.front();
    const auto& rows = answers.front();
    kept_ = KeptRows(rows.columns);
    Interpretation result;
    const auto count = std::min(rows.row_count, query_->max_rows);
    result.rows_over_limit = rows.row_count - count;
    std::vector<std::size_t> shown;
    const auto is_chosen = choose(rows, count, now, shown);
    std::vector<std::size_t> rest;
    for (std::size_t i = 0; i < shown.size(); ++i) {
      if (is_chosen[i])
        kept_.add(copied(rows, shown[i]));
      else
        rest.push_back(shown[i]);
    }
    if (!rest.empty()) kept_.add(folded(rows, rest));
    metrics::SnapshotBuilder trial;
    result.unreadable = interpret(*query_, kept_.view(), {}, trial).unreadable;
    return result;
  }

  void add(std::span<const metrics::Label> extra, metrics::SnapshotBuilder& builder) const override {
    if (query_ != nullptr) (void)interpret(*query_, kept_.view(), extra, builder);
  }

 private:
  std::vector<bool> choose(const TableView& rows, std::size_t count, Deadline now, std::vector<std::size_t>& shown) {
    std::vector<std::optional<std::size_t>> names, busy;
    for (const auto name : folding_.names) names.push_back(place_of(rows, name));
    for (const auto column : folding_.busy) busy.push_back(place_of(rows, column));
    const auto urgent = place_of(rows, folding_.urgent);
    std::vector<StableChoice::Candidate> candidates;
    for (std::size_t row = 0; row < count; ++row) {
      StableChoice::Candidate candidate;
      for (const auto column : busy) candidate.size += number_at(rows, row, column).value_or(0);
      if (!has_idle_ && candidate.size <= 0) continue;
      candidate.is_urgent = number_at(rows, row, urgent).value_or(0) > 0;
      for (const auto name : names) candidate.key.append(text_at(rows, row, name)).push_back('\0');
      candidates.push_back(std::move(candidate));
      shown.push_back(row);
    }
    return choice_.choose(candidates, now);
  }

  /// Numbers may be padded or empty where a user has none of his own (PgBouncer 1.24, SHOW USERS).
  [[nodiscard]] static KeptRows::Row copied(const TableView& rows, std::size_t row) {
    KeptRows::Row copy;
    for (std::size_t column = 0; column < rows.columns.size(); ++column) {
      const auto text = rows.cell(rows.rows, row, column);
      if (!text || text->empty())
        copy.emplace_back();
      else
        copy.emplace_back(is_padded_number(*text) ? text::trim(*text) : *text);
    }
    return copy;
  }

  [[nodiscard]] static bool is_padded_number(std::string_view text) {
    return text.front() == ' ' && parse_value(text::trim(text)).has_value();
  }

  [[nodiscard]] KeptRows::Row folded(const TableView& rows, const std::vector<std::size_t>& rest) const {
    KeptRows::Row sums;
    for (const auto column : rows.columns) {
      if (std::count(folding_.names.begin(), folding_.names.end(), column) > 0)
        sums.emplace_back(the_others);
      else if (std::count(folding_.busy.begin(), folding_.busy.end(), column) > 0)
        sums.emplace_back(fmt::format("{}", sum(rows, rest, place_of(rows, column))));
      else
        sums.emplace_back();
    }
    const auto whole = place_of(rows, folding_.longest), part = place_of(rows, folding_.longest_remainder);
    if (!whole) return sums;
    std::pair<double, double> longest{0, 0};
    for (const auto row : rest)
      longest = std::max(longest, {number_at(rows, row, whole).value_or(0), number_at(rows, row, part).value_or(0)});
    sums[*whole] = fmt::format("{}", longest.first);
    if (part) sums[*part] = fmt::format("{}", longest.second);
    return sums;
  }

  [[nodiscard]] static double sum(const TableView& rows, const std::vector<std::size_t>& of,
                                  std::optional<std::size_t> column) {
    double total = 0;
    for (const auto row : of) total += number_at(rows, row, column).value_or(0);
    return total;
  }

  const Folding& folding_;
  bool has_idle_;
  StableChoice choice_;
  const Query* query_ = nullptr;
  KeptRows kept_;
};

}  // namespace

std::unique_ptr<Treatment> make_pools_treatment(const Limits& limits) {
  return std::make_unique<BusiestRows>(pools, limits.pools, limits.has_idle_pools, limits);
}

std::unique_ptr<Treatment> make_users_treatment(const Limits& limits) {
  return std::make_unique<BusiestRows>(users, limits.pool_users, true, limits);
}

}  // namespace midst::sources
