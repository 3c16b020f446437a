// What queries, metrics and labels of an operator may be called.
#pragma once

#include "lib/base/error.hpp"

#include <string_view>

namespace midst::app {

/// @return whether the text is 1 to 63 of a–z, 0–9 and '_', a letter first.
[[nodiscard]] bool is_query_name(std::string_view text) noexcept;
/// @return whether the text is a metric's name in the exposition format, of at most 200 characters.
[[nodiscard]] bool is_metric_name(std::string_view text) noexcept;
/// @return whether the text is a label's name that does not belong to Prometheus itself.
[[nodiscard]] bool is_label_name(std::string_view text) noexcept;

/// @return the error that says what such a name is made of.
[[nodiscard]] Error bad_metric_name(std::string_view text);
[[nodiscard]] Error bad_label_name(std::string_view text);

}  // namespace midst::app
