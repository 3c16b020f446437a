#include "agent/sources/redis/keys/scripts.hpp"

#include "lib/base/text.hpp"

#include <fmt/core.h>

#include <optional>
#include <utility>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;

// clang-format off
constexpr MetricSpec script_values{"redis_script_values", MetricType::gauge, "", "Numbers that the operator's scripts return, by the name they give them.", "filename,key"};
constexpr MetricSpec script_result{"redis_script_result", MetricType::gauge, "", "1 when the script returned numbers, 2 when it returned nothing, 0 when it failed.", "filename"};
// clang-format on

std::optional<double> number_of(const redis::Reply& reply) {
  if (reply.type == redis::Reply::Type::integer) return static_cast<double>(reply.number);
  const auto text = reply.as_text();
  if (!text) return std::nullopt;
  const auto number = text::parse_number(*text);
  return number ? std::optional<double>(*number) : std::nullopt;
}

/// Names may be numbers in Lua.
std::optional<std::string> name_of(const redis::Reply& reply) {
  if (reply.type == redis::Reply::Type::integer) return std::to_string(reply.number);
  const auto text = reply.as_text();
  return text ? std::optional<std::string>(*text) : std::nullopt;
}

class Scripts final : public Collector {
 public:
  explicit Scripts(ScriptsOptions options) : options_(std::move(options)), due_(options_.interval) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "scripts"; }
  [[nodiscard]] std::vector<MetricSpec> specs() const override { return {script_values, script_result}; }
  [[nodiscard]] std::vector<std::string> rights() const override {
    return {options_.is_read_only ? "+eval_ro" : "+eval"};
  }
  void ask(const Round& round, Batch& batch) override;
  [[nodiscard]] Result<Done> read(std::vector<redis::Reply> replies, const Round& round) override;
  void add(const Page& page) override;
  void forget() override {
    results_.clear();
    due_.reset();
  }

 private:
  const ScriptsOptions options_;
  Due due_;
  std::vector<ScriptValues> results_;  ///< By script; empty until the first run.
};

void Scripts::ask(const Round& round, Batch& batch) {
  if (round.index != 0 || !due_.is_due(round.now)) return;
  results_.clear();
  if (round.facts.is_loading || round.facts.is_sentinel) return;
  for (const auto& script : options_.scripts) batch.add({options_.is_read_only ? "EVAL_RO" : "EVAL", script.text, "0"});
}

Result<Done> Scripts::read(std::vector<redis::Reply> replies, const Round& round) {
  Result<Done> first = Done{};
  due_.done(round.now);
  for (std::size_t i = 0; i < replies.size() && i < options_.scripts.size(); ++i) {
    results_.push_back(read_script_values(replies[i], options_.max_values));
    if (results_.back().outcome != ScriptValues::Outcome::failed || !first) continue;
    const auto error = replies[i].is_error() ? replies[i].to_error()
                                             : Error{Errc::protocol, "it has to return names and numbers in turn"};
    first = error.with_context(fmt::format("script {}", options_.scripts[i].filename));
  }
  return first;
}

void Scripts::add(const Page& page) {
  std::size_t left_out = 0;
  for (std::size_t i = 0; i < results_.size(); ++i) {
    const auto& filename = options_.scripts[i].filename;
    for (const auto& [name, value] : results_[i].values)
      page.builder.add(script_values, {{"key", name}, {"filename", filename}}, value);
    page.builder.add(script_result, {{"filename", filename}}, static_cast<int>(results_[i].outcome));
    left_out += results_[i].left_out;
  }
  add_folded(script_values, left_out, page.builder);
}

}  // namespace

ScriptValues read_script_values(const redis::Reply& reply, std::size_t max_values) {
  using Outcome = ScriptValues::Outcome;
  ScriptValues result;
  const bool is_nothing = reply.type == redis::Reply::Type::nil || (reply.is_array() && reply.elements.empty());
  if (is_nothing) {
    result.outcome = Outcome::empty;
    return result;
  }
  if (!reply.is_array()) return result;
  bool is_good = reply.elements.size() % 2 == 0;
  for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    auto name = name_of(reply.elements[i]);
    const auto value = number_of(reply.elements[i + 1]);
    if (!name || !value) {
      is_good = false;
    } else if (result.values.size() < max_values) {
      result.values.emplace_back(std::move(*name), *value);
    } else {
      ++result.left_out;
    }
  }
  result.outcome = is_good ? Outcome::good : Outcome::failed;
  return result;
}

std::unique_ptr<Collector> make_scripts(ScriptsOptions options) {
  return std::make_unique<Scripts>(std::move(options));
}

}  // namespace midst::sources::redis_info
