// The machine the agent runs on as a Source: CPU, memory, disks, file systems, load and network, under node_exporter's
// names, for where none runs beside it. Opt-in; proc_texts.hpp reads what it reads from /proc.
#pragma once

#include "agent/scrape/source.hpp"
#include "agent/sources/host/host_options.hpp"
#include "agent/sources/host/proc_texts.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace midst::sources {

class HostSource final : public scrape::Source {
 public:
  explicit HostSource(HostOptions options);

  [[nodiscard]] const scrape::SourceId& id() const noexcept override { return id_; }
  [[nodiscard]] std::vector<metrics::MetricSpec> specs() const override;
  /// Reads files of /proc, which does not wait for any device; fails when none of them can be read.
  [[nodiscard]] asio::awaitable<Result<metrics::Snapshot>> collect(Deadline deadline) override;
  [[nodiscard]] metrics::Snapshot down(const Error& error) const override;

 private:
  /// A collector of the configuration and what was said of it last.
  struct Part {
    std::string_view name;
    bool is_well = true;
  };

  Result<Done> add(std::string_view collector, metrics::SnapshotBuilder& builder);
  Result<Done> add_filesystems(metrics::SnapshotBuilder& builder) const;
  Result<Done> add_uname(metrics::SnapshotBuilder& builder) const;
  [[nodiscard]] Result<std::string> read(std::string_view path) const;

  scrape::SourceId id_{"host", "host"};
  HostOptions options_;
  std::string root_;  ///< Without a "/" at its end.
  std::vector<Part> parts_;
  host::CpuTimes cpu_times_;
};

}  // namespace midst::sources
