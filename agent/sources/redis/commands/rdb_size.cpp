#include "agent/sources/redis/commands/rdb_size.hpp"

#include "agent/sources/redis/commands/settings.hpp"

#include <filesystem>
#include <system_error>
#include <utility>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;
using redis::Reply;

constexpr MetricSpec rdb_current_size{"redis_rdb_current_size_bytes", MetricType::gauge, "bytes",
                                      "Size of the dump file; 0 when there is none yet."};

/// CONFIG GET dir dbfilename, and a look at the file at each scrape.
class RdbSize final : public Collector {
 public:
  explicit RdbSize(RdbSizeOptions options) : options_(std::move(options)), due_(options_.config_interval) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "rdb_size"; }
  [[nodiscard]] std::vector<MetricSpec> specs() const override { return {rdb_current_size}; }
  [[nodiscard]] std::vector<std::string> rights() const override { return {"+config|get"}; }

  void ask(const Round& round, Batch& batch) override {
    if (round.index > 0 || round.facts.is_sentinel || !due_.is_due(round.now)) return;
    if (round.facts.version >= 70000) return batch.add({options_.config_command, "GET", "dir", "dbfilename"});
    batch.add({options_.config_command, "GET", "dir"});
    batch.add({options_.config_command, "GET", "dbfilename"});
  }

  [[nodiscard]] Result<Done> read(std::vector<Reply> replies, const Round& round) override {
    Settings fresh;
    Result<Done> result = Done{};
    for (const auto& reply : replies)
      if (auto read = read_settings(reply, fresh); !read && result) result = read;
    if (!result) return result;
    settings_ = std::move(fresh);
    due_.done(round.now);
    return result;
  }

  void add(const Page& page) override {
    if (const auto size = rdb_file_size(settings_.find("dir"), settings_.find("dbfilename")))
      page.builder.add(rdb_current_size, *size);
  }

  void forget() override {
    settings_ = {};
    due_.reset();
  }

 private:
  const RdbSizeOptions options_;
  Due due_;
  Settings settings_;
};

}  // namespace

std::optional<double> rdb_file_size(std::string_view directory, std::string_view file_name) {
  constexpr std::string_view no_name("/\0", 2);
  if (!directory.starts_with('/') || directory.find('\0') != directory.npos) return std::nullopt;
  if (file_name.empty() || file_name == "." || file_name == "..") return std::nullopt;
  if (file_name.find_first_of(no_name) != file_name.npos) return std::nullopt;
  std::error_code error;
  const auto path = std::filesystem::path(directory) / file_name;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) return 0;
  if (!std::filesystem::is_regular_file(status)) return std::nullopt;
  const auto size = std::filesystem::file_size(path, error);
  if (error) return std::nullopt;
  return static_cast<double>(size);
}

std::unique_ptr<Collector> make_rdb_size(RdbSizeOptions options) {
  return std::make_unique<RdbSize>(std::move(options));
}

}  // namespace midst::sources::redis_info
