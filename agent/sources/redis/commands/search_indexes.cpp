#include "agent/sources/redis/commands/search_indexes.hpp"

#include "agent/sources/redis/commands/name_pattern.hpp"
#include "lib/base/text.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;
using metrics::SnapshotBuilder;
using redis::Reply;

constexpr double mebi = 1048576;

struct Row {
  std::string_view field;
  double scale;
  MetricSpec spec;
};
// clang-format off
constexpr Row rows[] = {
    {"num_docs", 1, {"redis_search_index_num_docs", MetricType::gauge, "", "Documents in the index.", "index_name"}},
    {"max_doc_id", 1, {"redis_search_index_max_doc_id", MetricType::gauge, "", "Highest number given to a document of the index.", "index_name"}},
    {"num_terms", 1, {"redis_search_index_num_terms", MetricType::gauge, "", "Distinct terms in the index.", "index_name"}},
    {"num_records", 1, {"redis_search_index_num_records", MetricType::gauge, "", "Entries of all terms of the index together.", "index_name"}},
    {"inverted_sz_mb", mebi, {"redis_search_index_inverted_size_bytes", MetricType::gauge, "bytes", "Memory of the inverted index.", "index_name"}},
    {"total_inverted_index_blocks", 1, {"redis_search_index_total_inverted_index_blocks", MetricType::gauge, "", "Blocks of the inverted index.", "index_name"}},
    {"vector_index_sz_mb", mebi, {"redis_search_index_vector_index_size_bytes", MetricType::gauge, "bytes", "Memory of the vectors of the index.", "index_name"}},
    {"offset_vectors_sz_mb", mebi, {"redis_search_index_offset_vectors_size_bytes", MetricType::gauge, "bytes", "Memory of the places of terms within documents.", "index_name"}},
    {"doc_table_size_mb", mebi, {"redis_search_index_doc_table_size_bytes", MetricType::gauge, "bytes", "Memory of the table of documents.", "index_name"}},
    {"sortable_values_size_mb", mebi, {"redis_search_index_sortable_values_size_bytes", MetricType::gauge, "bytes", "Memory of the values that can be sorted by.", "index_name"}},
    {"key_table_size_mb", mebi, {"redis_search_index_key_table_size_bytes", MetricType::gauge, "bytes", "Memory of the table from keys to documents.", "index_name"}},
    {"tag_overhead_sz_mb", mebi, {"redis_search_index_tag_overhead_size_bytes", MetricType::gauge, "bytes", "Memory of the tag fields beside their entries.", "index_name"}},
    {"text_overhead_sz_mb", mebi, {"redis_search_index_text_overhead_size_bytes", MetricType::gauge, "bytes", "Memory of the text fields beside their entries.", "index_name"}},
    {"total_index_memory_sz_mb", mebi, {"redis_search_index_total_index_memory_size_bytes", MetricType::gauge, "bytes", "Memory of the whole index.", "index_name"}},
    {"geoshapes_sz_mb", mebi, {"redis_search_index_geoshapes_size_bytes", MetricType::gauge, "bytes", "Memory of the shapes of the index.", "index_name"}},
    {"records_per_doc_avg", 1, {"redis_search_index_avg_per_doc_records", MetricType::gauge, "", "Mean number of entries of a document.", "index_name"}},
    {"bytes_per_record_avg", 1, {"redis_search_index_avg_per_record_bytes", MetricType::gauge, "bytes", "Mean size of an entry.", "index_name"}},
    {"offsets_per_term_avg", 1, {"redis_search_index_avg_per_term_offsets", MetricType::gauge, "", "Mean number of places of a term.", "index_name"}},
    {"offset_bits_per_record_avg", 1, {"redis_search_index_avg_per_record_offset_bits", MetricType::gauge, "", "Mean number of bits for the places of an entry.", "index_name"}},
    {"indexing", 1, {"redis_search_index_indexing", MetricType::gauge, "", "1 while the index is being built over the keys that were there before it.", "index_name"}},
    {"percent_indexed", 1, {"redis_search_index_percent_indexed", MetricType::gauge, "", "Share of the keys that are indexed, from 0 to 1.", "index_name"}},
    {"hash_indexing_failures", 1, {"redis_search_index_hash_indexing_failures", MetricType::gauge, "", "Keys that could not be indexed.", "index_name"}},
    {"number_of_uses", 1, {"redis_search_index_number_of_uses_total", MetricType::counter, "", "How often the index was used.", "index_name"}},
    {"cleaning", 1, {"redis_search_index_cleaning", MetricType::gauge, "", "1 while deleted documents are being taken out of the index.", "index_name"}},
};
// clang-format on

/// FT._LIST in the first round, FT.INFO of each index in the second.
class SearchIndexes final : public Collector {
 public:
  explicit SearchIndexes(SearchIndexesOptions options) : options_(std::move(options)), due_(options_.interval) {
    if (auto pattern = NamePattern::parse(options_.names)) pattern_ = std::move(*pattern);
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "search_indexes"; }
  [[nodiscard]] std::vector<MetricSpec> specs() const override {
    std::vector<MetricSpec> all;
    for (const auto& row : rows) all.push_back(row.spec);
    return all;
  }
  [[nodiscard]] std::vector<std::string> rights() const override { return {"+ft._list", "+ft.info"}; }

  void ask(const Round& round, Batch& batch) override;
  [[nodiscard]] Result<Done> read(std::vector<Reply> replies, const Round& round) override;
  void add(const Page& page) override;
  void forget() override;

 private:
  [[nodiscard]] Result<Done> read_list(const Reply& reply, const Round& round);

  const SearchIndexesOptions options_;
  std::optional<NamePattern> pattern_;
  Due due_;
  std::vector<std::string> names_;  ///< To be asked for in the second round of this scrape.
  std::vector<std::pair<std::string, Reply>> infos_;
  std::size_t left_out_ = 0;
};

void SearchIndexes::ask(const Round& round, Batch& batch) {
  if (round.index == 0) {
    names_.clear();
    if (!round.facts.is_sentinel && pattern_ && due_.is_due(round.now)) batch.add({"FT._LIST"});
  } else if (round.index == 1) {
    for (const auto& name : names_) batch.add({"FT.INFO", name});
  }
}

Result<Done> SearchIndexes::read(std::vector<Reply> replies, const Round& round) {
  if (round.index == 0) return read_list(replies.front(), round);
  Result<Done> result = Done{};
  infos_.clear();
  for (std::size_t i = 0; i < replies.size() && i < names_.size(); ++i) {
    const auto ready = expect_array(replies[i], "FT.INFO");
    if (ready)
      infos_.emplace_back(std::move(names_[i]), std::move(replies[i]));
    else if (result)
      result = ready;
  }
  names_.clear();
  due_.done(round.now);
  return result;
}

Result<Done> SearchIndexes::read_list(const Reply& reply, const Round& round) {
  left_out_ = 0;
  if (auto ready = expect_array(reply, "FT._LIST"); !ready) {
    infos_.clear();
    return ready;
  }
  for (const auto& element : reply.elements)
    if (pattern_->matches(element.text)) names_.push_back(element.text);
  std::sort(names_.begin(), names_.end());
  names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
  left_out_ = names_.size() - std::min(names_.size(), options_.max_indexes);
  names_.resize(names_.size() - left_out_);
  if (names_.empty()) {
    infos_.clear();
    due_.done(round.now);
  }
  return Done{};
}

void SearchIndexes::add(const Page& page) {
  for (const auto& [name, info] : infos_) (void)add_search_index(name, info, page.builder);
  add_folded(rows[0].spec, left_out_, page.builder);
}

void SearchIndexes::forget() {
  due_.reset();
  infos_.clear();
  left_out_ = 0;
}

/// @return a number however the server writes it; an empty index has averages that are none.
std::optional<double> number_of(const Reply& reply) {
  if (reply.type == Reply::Type::integer) return static_cast<double>(reply.number);
  const auto number = text::parse_number(reply.text);
  if (reply.is_array() || !number || !std::isfinite(*number)) return std::nullopt;
  return *number;
}

}  // namespace

Result<Done> add_search_index(std::string_view name, const Reply& info, SnapshotBuilder& builder) {
  if (auto ready = expect_array(info, "FT.INFO"); !ready) return ready;
  const auto labels = builder.labels({{"index_name", name}});
  for (std::size_t i = 0; i + 1 < info.elements.size(); i += 2) {
    for (const auto& row : rows) {
      if (row.field != info.elements[i].text) continue;
      if (const auto number = number_of(info.elements[i + 1]))
        builder.family(row.spec).add(labels, *number * row.scale);
    }
  }
  return Done{};
}

std::unique_ptr<Collector> make_search_indexes(SearchIndexesOptions options) {
  return std::make_unique<SearchIndexes>(std::move(options));
}

}  // namespace midst::sources::redis_info
