// A source's page as a test reads it, and the lists of names it is held against.
#pragma once

#include "lib/metrics/snapshot.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace midst::test {

using Labels = std::map<std::string, std::string>;

/// @return the value of the sample with exactly these labels, or nothing.
[[nodiscard]] std::optional<double> value_of(const metrics::Snapshot& snapshot, std::string_view family,
                                             const Labels& labels);

/// @return the values of one label over all samples of a family, each once, sorted.
[[nodiscard]] std::vector<std::string> label_values(const metrics::Snapshot& snapshot, std::string_view family,
                                                    const std::string& label);

/// Compares with a list of "name type labels" lines.
/// @return what of the list is missing or differs, one line each.
[[nodiscard]] std::vector<std::string> differences_from_list(const metrics::Snapshot& snapshot, std::string_view list);

}  // namespace midst::test
