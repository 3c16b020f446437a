// A Source that does what a test tells it: answer, fail, or hang.
#pragma once

#include "agent/scrape/source.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace midst::test {

inline constexpr metrics::MetricSpec fake_up{"fake_up", metrics::MetricType::gauge, "", "Whether the fake answered."};
inline constexpr metrics::MetricSpec fake_value{"fake_value", metrics::MetricType::gauge, "", "A value of the fake."};

class FakeSource final : public scrape::Source {
 public:
  explicit FakeSource(scrape::SourceId id) : id_(std::move(id)) {}

  double value = 1;                                          ///< What fake_value shows.
  std::vector<std::pair<metrics::MetricSpec, double>> also;  ///< Further families of its page, without labels.
  std::optional<Error> fails_with;                           ///< Set: collect() fails with it.
  std::chrono::milliseconds takes{0};                        ///< How long collect() waits before it answers.
  bool ignores_cancellation = false;                         ///< A source that breaks rule R3.
  int collects = 0;                                          ///< How often it was asked.
  Deadline last_deadline{};                                  ///< What it was told.

  [[nodiscard]] const scrape::SourceId& id() const noexcept override { return id_; }
  [[nodiscard]] std::vector<metrics::MetricSpec> specs() const override { return {fake_up, fake_value}; }

  [[nodiscard]] asio::awaitable<Result<metrics::Snapshot>> collect(Deadline deadline) override {
    ++collects;
    last_deadline = deadline;
    if (ignores_cancellation) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    if (takes.count() > 0) {
      asio::steady_timer timer(co_await asio::this_coro::executor, takes);
      const auto [error] = co_await timer.async_wait(as_result);
      if (error) co_return Error{Errc::timeout, "cancelled"};
    }
    if (fails_with) co_return *fails_with;
    co_return page(1, value);
  }

  [[nodiscard]] metrics::Snapshot down(const Error&) const override { return page(0, std::nullopt); }

 private:
  [[nodiscard]] metrics::Snapshot page(double up, std::optional<double> shown) const {
    metrics::SnapshotBuilder builder;
    const auto labels = builder.labels({{"target", id_.target}});
    builder.family(fake_up).add(labels, up);
    if (shown) builder.family(fake_value).add(labels, *shown);
    if (shown)
      for (const auto& [spec, number] : also) builder.add(spec, number);
    return builder.freeze();
  }

  scrape::SourceId id_;
};

}  // namespace midst::test
