// SHOW CONFIG and SHOW STATE: pairs of a name and a text, of which most are numbers.
#include "agent/sources/postgres/pgbouncer/kept_rows.hpp"
#include "agent/sources/postgres/pgbouncer/treatments.hpp"

#include <algorithm>

namespace midst::sources {
namespace {

using metrics::Label;
using metrics::MetricSpec;
using metrics::MetricType;

constexpr MetricSpec config_info{"pgbouncer_config_info", MetricType::gauge, "",
                                 "Settings that are words, as labels: how pools, logins and TLS are meant to work.",
                                 "*"};
/// None of them can hold a secret.
constexpr std::string_view words[] = {"pool_mode", "auth_type", "client_tls_sslmode", "server_tls_sslmode"};

/// Pairs that the table of the command names; the rest is forgotten with the answer.
class Pairs : public Treatment {
 public:
  Interpretation take(std::span<const Query* const> queries, std::span<const TableView> answers, Deadline) override {
    query_ = queries.front();
    kept_ = KeptRows({"key", "value"});
    const auto& rows = answers.front();
    Interpretation result;
    if (rows.columns.size() < 2) return result;
    const auto count = std::min(rows.row_count, query_->max_rows);
    result.rows_over_limit = rows.row_count - count;
    for (std::size_t row = 0; row < count; ++row) {
      const auto key = text_at(rows, row, 0), value = text_at(rows, row, 1);
      take_pair(key, value);
      const bool is_wanted = std::any_of(query_->columns.begin(), query_->columns.end(),
                                         [&](const Column& column) { return column.column == key; });
      if (!is_wanted || value.empty()) continue;
      const auto number = as_number(value);
      if (parse_value(number))
        kept_.add({std::string(key), std::string(number)});
      else
        ++result.unreadable;
    }
    return result;
  }

  void add(std::span<const Label> extra, metrics::SnapshotBuilder& builder) const override {
    if (query_ != nullptr) (void)interpret(*query_, kept_.view(), extra, builder);
  }

 protected:
  virtual void take_pair(std::string_view, std::string_view) {}

 private:
  [[nodiscard]] static std::string_view as_number(std::string_view text) noexcept {
    if (text == "yes") return "1";
    if (text == "no") return "0";
    return text;
  }

  const Query* query_ = nullptr;
  KeptRows kept_;
};

class Config final : public Pairs {
 public:
  void add(std::span<const Label> extra, metrics::SnapshotBuilder& builder) const override {
    Pairs::add(extra, builder);
    if (words_.empty()) return;
    std::vector<Label> labels(extra.begin(), extra.end());
    for (const auto& [key, value] : words_) labels.push_back({key, value});
    builder.family(config_info).add(builder.labels(labels), 1);
  }

  [[nodiscard]] std::vector<MetricSpec> specs() const override { return {config_info}; }

 private:
  void take_pair(std::string_view key, std::string_view value) override {
    const auto* const word = std::find(std::begin(words), std::end(words), key);
    if (word == std::end(words)) return;
    const auto known = std::find_if(words_.begin(), words_.end(), [&](const auto& of) { return of.first == key; });
    if (known == words_.end())
      words_.emplace_back(*word, value);
    else
      known->second = value;
  }

  std::vector<std::pair<std::string_view, std::string>> words_;
};

}  // namespace

std::unique_ptr<Treatment> make_config_treatment(const Limits&) {
  return std::make_unique<Config>();
}

std::unique_ptr<Treatment> make_state_treatment(const Limits&) {
  return std::make_unique<Pairs>();
}

}  // namespace midst::sources
