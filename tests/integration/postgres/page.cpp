#include "tests/integration/postgres/page.hpp"

#include "lib/base/text.hpp"

#include <set>

namespace midst::test {
namespace {

Labels labels_of(const metrics::Family& family, std::size_t sample) {
  Labels labels;
  for (auto& [name, value] : metrics::decode(family.labels[sample])) labels.emplace(name, value);
  return labels;
}

std::string shape_of(const metrics::Family& family) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < family.labels.size(); ++i)
    for (const auto& [name, value] : labels_of(family, i)) names.insert(name);
  std::string shape(word(family.type));
  for (const auto& name : names) shape += (shape.find(' ') == std::string::npos ? ' ' : ',') + name;
  return shape;
}

}  // namespace

std::optional<double> value_of(const metrics::Snapshot& snapshot, std::string_view family, const Labels& labels) {
  const auto* found = snapshot.find(family);
  if (found == nullptr) return std::nullopt;
  for (std::size_t i = 0; i < found->labels.size(); ++i)
    if (labels_of(*found, i) == labels) return found->values[i];
  return std::nullopt;
}

std::vector<std::string> label_values(const metrics::Snapshot& snapshot, std::string_view family,
                                      const std::string& label) {
  std::set<std::string> values;
  if (const auto* found = snapshot.find(family))
    for (std::size_t i = 0; i < found->labels.size(); ++i) values.insert(labels_of(*found, i)[label]);
  return {values.begin(), values.end()};
}

std::vector<std::string> differences_from_list(const metrics::Snapshot& snapshot, std::string_view list) {
  std::vector<std::string> differences;
  while (!list.empty()) {
    auto line = text::take_until(list, '\n');
    if (line.empty() || line.front() == '#') continue;
    const std::string name(text::take_until(line, ' '));
    const auto* family = snapshot.find(name);
    if (family == nullptr)
      differences.push_back("missing " + name);
    else if (shape_of(*family) != line)
      differences.push_back(name + " is " + shape_of(*family) + ", not " + std::string(line));
  }
  return differences;
}

}  // namespace midst::test
