// Any bytes as family name, help and labels: stored label sets decode to what was given, names are valid, sorted and
// unique, and nothing given can add a line to a page.
#include "lib/base/text.hpp"
#include "lib/metrics/encode.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace midst;
using namespace midst::metrics;

void require(bool is_true) {
  if (!is_true) std::abort();
}

bool is_name(std::string_view name) {
  return !name.empty() && name != "__name__" && (name.front() < '0' || name.front() > '9') &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == name.npos;
}

std::ptrdiff_t line_count(const std::string& page) {
  return std::count(page.begin(), page.end(), '\n');
}

void check_labels(const std::vector<Label>& given, LabelSet stored) {
  const auto pairs = decode(stored);
  require(pairs.size() <= given.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    require(is_name(pairs[i].first));
    require(i == 0 || pairs[i - 1].first < pairs[i].first);
    require(std::any_of(given.begin(), given.end(),
                        [&](const Label& label) { return text::to_utf8(label.value) == pairs[i].second; }));
  }
  for (const auto& label : given)
    if (is_name(label.name))
      require(std::any_of(pairs.begin(), pairs.end(), [&](const auto& pair) { return pair.first == label.name; }));
  require(label_text(given) == stored.text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A name, a help, then label names and values in turn, each ended by a 0x1E.
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto name = text::take_until(rest, '\x1E');
  const auto help = text::take_until(rest, '\x1E');
  std::vector<Label> given;
  while (!rest.empty()) {
    const auto label = text::take_until(rest, '\x1E');
    given.push_back({label, text::take_until(rest, '\x1E')});
  }
  SnapshotBuilder builder;
  const auto stored = builder.labels(given);
  check_labels(given, stored);
  auto& family = builder.family({name, MetricType::counter, "", help});
  family.add(stored, 1);
  family.add_exemplar(0, 1, 1, stored);
  builder.family({"other_family", MetricType::histogram, "", ""}).add(stored, Distribution{});
  const auto page = merge({std::make_shared<const Snapshot>(builder.freeze())});
  const bool has_help = !help.empty();
  const auto text = encode(page, Format::text);
  require(text::is_utf8(text));
  if (page.families.size() == 2) require(line_count(text) == 6 + (has_help ? 1 : 0));
  const auto openmetrics = encode(page, Format::openmetrics);
  require(text::is_utf8(openmetrics) && openmetrics.ends_with("# EOF\n"));
  require(line_count(openmetrics) == line_count(text) + 1);
  require(!encode(page, Format::protobuf).empty());
  return 0;
}
