// What streams.cpp asks of one stream: itself, its groups and, for each of them, the consumers, in one step once the
// groups are known. Pure; the families stand here too.
#pragma once

#include "agent/sources/redis/keys/key_checks.hpp"
#include "agent/sources/redis/keys/stream_info.hpp"
#include "agent/sources/redis/keys/streams.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace midst::sources::redis_info {

/// @return the families of streams, groups and consumers.
[[nodiscard]] std::span<const metrics::MetricSpec> stream_specs() noexcept;

/// What all streams left out at their limits; adds up while they are added to a page.
struct StreamFolds {
  std::size_t groups = 0, consumers = 0;
  /// Adds both to redis_exporter_folded_series.
  void add(metrics::SnapshotBuilder& builder) const;
};

/// One key that is, or may become, a stream. A key that is none is asked for its type at each look: XINFO would answer
/// with an error.
class StreamLook final : public KeyLook {
 public:
  /// Both outlive the look.
  StreamLook(const StreamsOptions& options, StreamFolds& folds) : options_(options), folds_(folds) {}

  void begin() override;
  [[nodiscard]] bool is_done() const noexcept override { return step_ == Step::done; }
  [[nodiscard]] std::vector<redis::Command> ask(const std::string& key) override;
  [[nodiscard]] Result<Done> take(std::vector<redis::Reply> replies) override;
  [[nodiscard]] bool is_elsewhere() const noexcept override { return is_elsewhere_; }
  void add(std::string_view database, std::string_view key, metrics::SnapshotBuilder& builder) const override;

 private:
  enum class Step : std::uint8_t { done, type, stream, consumers };
  struct Group {
    StreamGroup facts;
    std::vector<StreamConsumer> consumers;
    std::size_t consumer_count = 0;  ///< With those left out.
    bool has_consumers = false;      ///< XINFO CONSUMERS has been answered.
  };
  struct Known {
    std::optional<StreamFacts> stream;
    std::vector<Group> groups;
    std::size_t group_count = 0;  ///< With those left out.
  };

  void take_type(const redis::Reply& reply);
  [[nodiscard]] Result<Done> take_stream(std::span<const redis::Reply> replies);
  [[nodiscard]] Result<Done> take_consumers(std::span<const redis::Reply> replies);
  /// @return whether the error only tells that the key is not here, or no stream any more; then it is dealt with.
  [[nodiscard]] bool is_about_the_key(const redis::Reply& error);
  void end(Step next);

  const StreamsOptions& options_;
  StreamFolds& folds_;
  Step step_ = Step::done;
  bool is_stream_ = false, is_elsewhere_ = false, was_retyped_ = false;
  int skipped_looks_ = 0;                  ///< Still to be skipped while the key is another node's.
  std::vector<std::string> asked_groups_;  ///< Whose consumers the commands of this step ask for.
  Known fresh_, shown_;
};

}  // namespace midst::sources::redis_info
