#include "agent/sources/redis/keys/keys.hpp"

#include "agent/sources/redis/keys/key_batch.hpp"
#include "agent/sources/redis/keys/key_checks.hpp"
#include "agent/sources/redis/keys/key_size.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;

// clang-format off
constexpr MetricSpec keys_count{"redis_keys_count", MetricType::gauge, "", "Keys of a database whose names match the pattern in label key.", "db,key"};
constexpr MetricSpec keys_elsewhere{"redis_exporter_keys_elsewhere", MetricType::gauge, "", "Keys that are asked for by name here but belong to another node of the cluster."};
constexpr MetricSpec keys_age{"redis_exporter_keys_age_seconds", MetricType::gauge, "seconds", "Time since the oldest shown result about keys was complete."};
// clang-format on

KeyChecksOptions checks_of(const KeysOptions& options) {
  KeyChecksOptions checks;
  checks.named = options.single;
  for (const auto& argument : options.check) (argument.is_pattern ? checks.patterns : checks.named).push_back(argument);
  checks.batch_size = options.batch_size;
  checks.max_keys = options.max_keys;
  return checks;
}

/// One entry of count_keys.
struct Count {
  KeyWalk walk;
  std::string pattern;
  bool is_open = false;
  double so_far = 0;
  std::optional<double> whole;
  double whole_at = 0;
  std::optional<Error> refusal;

  /// Of a database as a whole the server keeps count.
  [[nodiscard]] bool is_everything() const noexcept { return pattern == "*"; }
};

class Keys final : public Collector {
 public:
  explicit Keys(KeysOptions options);

  [[nodiscard]] std::string_view name() const noexcept override { return "keys"; }
  [[nodiscard]] std::vector<MetricSpec> specs() const override;
  [[nodiscard]] std::vector<std::string> rights() const override;
  void ask(const Round& round, Batch& batch) override;
  [[nodiscard]] Result<Done> read(std::vector<redis::Reply> replies, const Round& round) override;
  void add(const Page& page) override;
  void forget() override;

 private:
  void begin_scrape(const Round& round);
  void open_counts(const Round& round);
  void ask_counts();
  [[nodiscard]] Result<Done> take_count(Count& count, redis::Reply& reply, const Round& round);
  [[nodiscard]] bool is_open() const noexcept;
  [[nodiscard]] bool has_gap() const noexcept;
  void add_age(const Page& page) const;

  const KeysOptions options_;
  const KeySizeOptions size_options_;
  KeyPace pace_;
  KeyBatch batch_;
  KeyChecks checks_;
  std::vector<Count> counts_;
  bool is_asking_ = false;  ///< In this scrape.
  bool was_cut_ = false;    ///< A scrape ended before everything was done.
};

Keys::Keys(KeysOptions options)
    : options_(std::move(options)),
      size_options_{options_.has_values, options_.max_value_bytes, options_.has_zero_for_missing},
      pace_(options_.pace),
      batch_(options_.database),
      checks_(checks_of(options_),
              [this](KeyOrigin origin) { return std::make_unique<KeySizeLook>(size_options_, origin); }) {
  for (const auto& argument : options_.count)
    counts_.push_back(
        {KeyWalk(argument.database, argument.key, options_.batch_size), argument.key, false, 0, {}, 0, {}});
}

std::vector<MetricSpec> Keys::specs() const {
  std::vector<MetricSpec> all(key_size_specs().begin(), key_size_specs().end());
  all.insert(all.end(), {keys_count, keys_elsewhere, keys_age});
  return all;
}

std::vector<std::string> Keys::rights() const {
  return {"+select", "+scan",  "+dbsize", "+type", "+memory|usage", "+strlen",  "+getrange",
          "+llen",   "+scard", "+zcard",  "+hlen", "+xlen",         "+pfcount", "%R~*"};
}

void Keys::ask(const Round& round, Batch& batch) {
  if (round.index == 0) begin_scrape(round);
  if (!is_asking_) return;
  if (!pace_.has_time(round)) {
    was_cut_ = is_open();
    return;
  }
  batch_.begin(round);
  checks_.ask(batch_);
  ask_counts();
  batch_.end(batch);
}

void Keys::begin_scrape(const Round& round) {
  is_asking_ = pace_.begin_scrape(round);
  if (!pace_.is_wanted(round.facts)) forget();
  if (!is_asking_) return;
  const bool has_new_pass = pace_.begins_pass(round);
  checks_.begin_scrape(has_new_pass, batch_, round);
  if (has_new_pass) open_counts(round);
}

void Keys::open_counts(const Round& round) {
  for (auto& count : counts_) {
    if (count.is_open) continue;
    count.refusal.reset();
    if (const auto* error = batch_.refusal(count.walk.database(), round.now)) {
      count.refusal = *error;
      continue;
    }
    count.walk.restart();
    count.so_far = 0;
    count.is_open = true;
  }
}

void Keys::ask_counts() {
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    auto& count = counts_[i];
    if (!count.is_open || batch_.size() >= max_key_commands_per_round) continue;
    batch_.add(count.walk.database(), count.is_everything() ? redis::Command{"DBSIZE"} : count.walk.command(),
               {KeyTicket::Part::count, static_cast<std::uint32_t>(i)});
  }
}

Result<Done> Keys::read(std::vector<redis::Reply> replies, const Round& round) {
  auto answers = batch_.take(std::move(replies), round);
  auto first = checks_.take(answers, round);
  for (auto& answer : answers) {
    if (answer.ticket.part != KeyTicket::Part::count || answer.ticket.index >= counts_.size()) continue;
    auto& count = counts_[answer.ticket.index];
    if (auto taken = take_count(count, answer.reply, round); !taken) {
      count.is_open = false;
      count.whole.reset();
      if (first) first = taken;
    }
  }
  for (const auto& count : counts_)
    if (count.refusal && first) first = *count.refusal;
  const bool is_cut = was_cut_ || !pace_.has_time(round);
  if (first && is_cut && has_gap())
    return Error{Errc::timeout, "the first pass over the keys takes longer than one scrape; it goes on in the next"};
  return first;
}

Result<Done> Keys::take_count(Count& count, redis::Reply& reply, const Round& round) {
  if (count.is_everything()) {
    const auto keys = reply.as_integer();
    if (!keys) return keys.error().with_context("DBSIZE");
    count.so_far = static_cast<double>(*keys);
  } else {
    const auto names = count.walk.take(reply);
    if (!names) return names.error();
    count.so_far += static_cast<double>(names->size());
    if (!count.walk.is_done()) return Done{};
  }
  count.is_open = false;
  count.whole = count.so_far;
  count.whole_at = round.unix_now;
  return Done{};
}

bool Keys::is_open() const noexcept {
  return checks_.is_open() ||
         std::any_of(counts_.begin(), counts_.end(), [](const auto& count) { return count.is_open; });
}

bool Keys::has_gap() const noexcept {
  return checks_.has_gap() ||
         std::any_of(counts_.begin(), counts_.end(), [](const auto& count) { return count.is_open && !count.whole; });
}

void Keys::add(const Page& page) {
  if (!pace_.is_wanted(page.facts)) return;
  checks_.add(page.builder);
  for (const auto& count : counts_) {
    const auto database = fmt::format("db{}", count.walk.database());
    if (count.whole) page.builder.add(keys_count, {{"db", database}, {"key", count.pattern}}, *count.whole);
  }
  add_folded(key_size_specs().front(), checks_.folded(), page.builder);
  if (page.facts.has_cluster) page.builder.add(keys_elsewhere, static_cast<double>(checks_.elsewhere()));
  add_age(page);
}

void Keys::add_age(const Page& page) const {
  auto oldest = checks_.oldest_result();
  for (const auto& count : counts_)
    if (count.whole) oldest = std::min(oldest.value_or(count.whole_at), count.whole_at);
  if (oldest) page.builder.add(keys_age, std::max(0.0, page.unix_now - *oldest));
}

void Keys::forget() {
  pace_.forget();
  batch_.forget();
  checks_.forget();
  for (auto& count : counts_) {
    count.is_open = was_cut_ = false;
    count.whole.reset();
    count.refusal.reset();
  }
}

}  // namespace

std::unique_ptr<Collector> make_keys(KeysOptions options) {
  return std::make_unique<Keys>(std::move(options));
}

}  // namespace midst::sources::redis_info
