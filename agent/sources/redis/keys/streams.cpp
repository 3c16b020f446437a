#include "agent/sources/redis/keys/streams.hpp"

#include "agent/sources/redis/keys/key_batch.hpp"
#include "agent/sources/redis/keys/key_checks.hpp"
#include "agent/sources/redis/keys/stream_look.hpp"

#include <algorithm>
#include <utility>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;

// clang-format off
constexpr MetricSpec streams_elsewhere{"redis_exporter_streams_elsewhere", MetricType::gauge, "", "Streams that are asked for by name here but belong to another node of the cluster."};
constexpr MetricSpec streams_age{"redis_exporter_streams_age_seconds", MetricType::gauge, "seconds", "Time since the oldest shown result about streams was complete."};
// clang-format on

KeyChecksOptions checks_of(const StreamsOptions& options) {
  KeyChecksOptions checks;
  checks.named = options.single;
  for (const auto& argument : options.check) (argument.is_pattern ? checks.patterns : checks.named).push_back(argument);
  checks.type = "stream";
  checks.batch_size = options.batch_size;
  checks.max_keys = options.max_streams;
  return checks;
}

class Streams final : public Collector {
 public:
  explicit Streams(StreamsOptions options)
      : options_(std::move(options)),
        pace_(options_.pace),
        batch_(options_.database),
        checks_(checks_of(options_), [this](KeyOrigin) { return std::make_unique<StreamLook>(options_, folds_); }) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "streams"; }
  [[nodiscard]] std::vector<MetricSpec> specs() const override;
  [[nodiscard]] std::vector<std::string> rights() const override {
    return {"+select", "+scan", "+type", "+xinfo", "%R~*"};
  }
  void ask(const Round& round, Batch& batch) override;
  [[nodiscard]] Result<Done> read(std::vector<redis::Reply> replies, const Round& round) override;
  void add(const Page& page) override;
  void forget() override;

 private:
  void begin_scrape(const Round& round);

  const StreamsOptions options_;
  StreamFolds folds_;
  KeyPace pace_;
  KeyBatch batch_;
  KeyChecks checks_;
  bool is_asking_ = false;  ///< In this scrape.
  bool was_cut_ = false;    ///< A scrape ended before everything was done.
};

std::vector<MetricSpec> Streams::specs() const {
  std::vector<MetricSpec> all(stream_specs().begin(), stream_specs().end());
  all.insert(all.end(), {streams_elsewhere, streams_age});
  return all;
}

void Streams::ask(const Round& round, Batch& batch) {
  if (round.index == 0) begin_scrape(round);
  if (!is_asking_) return;
  if (!pace_.has_time(round)) {
    was_cut_ = checks_.is_open();
    return;
  }
  batch_.begin(round);
  checks_.ask(batch_);
  batch_.end(batch);
}

void Streams::begin_scrape(const Round& round) {
  is_asking_ = pace_.begin_scrape(round);
  if (!pace_.is_wanted(round.facts)) forget();
  if (is_asking_) checks_.begin_scrape(pace_.begins_pass(round), batch_, round);
}

Result<Done> Streams::read(std::vector<redis::Reply> replies, const Round& round) {
  auto answers = batch_.take(std::move(replies), round);
  auto first = checks_.take(answers, round);
  const bool is_cut = was_cut_ || !pace_.has_time(round);
  if (first && is_cut && checks_.has_gap())
    return Error{Errc::timeout, "the first pass over the streams takes longer than one scrape; it goes on in the next"};
  return first;
}

void Streams::add(const Page& page) {
  if (!pace_.is_wanted(page.facts)) return;
  folds_ = {};
  checks_.add(page.builder);
  folds_.add(page.builder);
  add_folded(stream_specs().front(), checks_.folded(), page.builder);
  if (page.facts.has_cluster) page.builder.add(streams_elsewhere, static_cast<double>(checks_.elsewhere()));
  if (const auto oldest = checks_.oldest_result())
    page.builder.add(streams_age, std::max(0.0, page.unix_now - *oldest));
}

void Streams::forget() {
  pace_.forget();
  batch_.forget();
  checks_.forget();
  was_cut_ = false;
}

}  // namespace

std::unique_ptr<Collector> make_streams(StreamsOptions options) {
  return std::make_unique<Streams>(std::move(options));
}

}  // namespace midst::sources::redis_info
