// What Prometheus makes of the counters of one family over several scrapes: increase() without extrapolation.
#pragma once

#include "lib/metrics/snapshot.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace midst::test {

class Increases {
 public:
  explicit Increases(std::string_view family) : family_(family) {}

  /// What one scrape adds.
  struct Step {
    double increase = 0;  ///< Over all series that were there at an earlier scrape; one that fell counts from zero.
    double begun = 0;     ///< Sum of the first values of new series, which increase() does not count.
    std::size_t new_series = 0, fallen = 0;
  };

  Step scrape(const metrics::Snapshot& snapshot) {
    Step step;
    now_.clear();
    const auto* family = snapshot.find(family_);
    if (family == nullptr) return step;
    for (std::size_t i = 0; i < family->values.size(); ++i) {
      const auto value = family->values[i];
      const std::string labels(family->labels[i].text);
      now_[labels] = value;
      const auto [last, is_new] = last_.emplace(labels, value);
      if (is_new) {
        ++step.new_series;
        step.begun += value;
        continue;
      }
      step.fallen += value < last->second ? 1 : 0;
      step.increase += value < last->second ? value : value - last->second;
      last->second = value;
    }
    return step;
  }

  /// The series of the last scrape, by label text.
  [[nodiscard]] const std::map<std::string, double>& now() const { return now_; }

 private:
  std::string family_;
  std::map<std::string, double> last_, now_;
};

}  // namespace midst::test
