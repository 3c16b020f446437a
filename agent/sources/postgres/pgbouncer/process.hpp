// What the PgBouncer process costs, by its pid file and /proc: the pgbouncer_process_* families of the exporter.
#pragma once

#include "lib/metrics/snapshot.hpp"

#include <filesystem>
#include <span>

namespace midst::sources {

/// @return the families of add_process().
[[nodiscard]] std::span<const metrics::MetricSpec> process_specs() noexcept;

/// Reads what there is to read; what needs rights that we lack is left out. Some tens of microseconds.
/// @param pid_file  nothing is added when it holds no process, or one that started after the file was written: then it
/// is another one, which got the number later.
/// @param proc  "/proc"; another folder in tests.
void add_process(const std::filesystem::path& pid_file, const std::filesystem::path& proc,
                 metrics::SnapshotBuilder& builder);

}  // namespace midst::sources
