// The settings that the agent asks CONFIG GET for → samples.
#pragma once

#include "agent/sources/redis/collector.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::sources::redis_info {

/// Settings that CONFIG GET answered, in its order.
struct Settings {
  std::vector<std::pair<std::string, std::string>> pairs;
  /// @return the value of a setting, or empty.
  [[nodiscard]] std::string_view find(std::string_view name) const noexcept;
};

/// Appends the pairs of one CONFIG GET reply.
/// @return the server's error, or Errc::protocol when the reply has another shape.
[[nodiscard]] Result<Done> read_settings(const redis::Reply& reply, Settings& settings);
/// Adds what is a metric of its own.
void add_settings(const Settings& settings, metrics::SnapshotBuilder& builder);

/// How the settings are asked for.
struct SettingsOptions {
  std::string command = "CONFIG";     ///< Its name where it was renamed.
  std::chrono::seconds interval{60};  ///< Settings younger than this are not asked for again.
};

/// Collector "config".
class SettingsCollector final : public Collector {
 public:
  explicit SettingsCollector(SettingsOptions options);

  [[nodiscard]] std::string_view name() const noexcept override { return "config"; }
  [[nodiscard]] std::vector<metrics::MetricSpec> specs() const override;
  [[nodiscard]] std::vector<std::string> rights() const override;
  void ask(const Round& round, Batch& batch) override;
  [[nodiscard]] Result<Done> read(std::vector<redis::Reply> replies, const Round& round) override;
  void add(const Page& page) override;
  void forget() override;

  /// @return how many databases the server has, or nothing while that is not known.
  [[nodiscard]] std::optional<int> databases() const noexcept;

 private:
  SettingsOptions options_;
  Settings settings_;
  Due due_;
};

}  // namespace midst::sources::redis_info
