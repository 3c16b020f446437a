// Text 0.0.4 and OpenMetrics 1.0: one writer, two dialects. What a dialect may say of a family is decided in
// openmetrics_shape.cpp; here it is only spelt.
#include "lib/metrics/openmetrics_shape.hpp"
#include "lib/metrics/page.hpp"

#include <algorithm>
#include <charconv>

namespace midst::metrics {
namespace {

/// HELP keeps to one line; OpenMetrics also escapes the quote.
void append_help(Page& page, std::string_view help, std::string_view specials) {
  for (;;) {
    const auto special = help.find_first_of(specials);
    page.append(help.substr(0, special));
    if (special == std::string_view::npos) return;
    const char escaped[] = {'\\', help[special] == '\n' ? 'n' : help[special]};
    page.append({escaped, 2});
    help.remove_prefix(special + 1);
  }
}

void append_line(Page& page, std::string_view keyword, std::string_view name, std::string_view word) {
  char* to = page.room(keyword.size() + name.size() + word.size() + 2);
  to = write_text(to, keyword);
  to = write_text(to, name);
  *to++ = ' ';
  to = write_text(to, word);
  *to++ = '\n';
  page.end(to);
}

/// `name suffix{labels} `, behind which the value goes.
char* write_series(char* to, std::string_view name, std::string_view suffix, LabelSet labels) {
  to = write_text(to, name);
  to = write_text(to, suffix);
  if (!labels.text.empty()) {
    *to++ = '{';
    to = write_text(to, labels.text);
    *to++ = '}';
  }
  *to++ = ' ';
  return to;
}

/// OpenMetrics 1.0, "Exemplars": ` # {labels} value timestamp`.
char* write_exemplar(Page& page, char* to, const Exemplar& exemplar) {
  page.end(to);
  to = page.room(exemplar.labels.text.size() + 3 * number_bytes);
  to = write_text(to, " # {");
  to = write_text(to, exemplar.labels.text);
  to = write_text(to, "} ");
  to = write_number(to, exemplar.value);
  if (exemplar.timestamp_seconds > 0 && exemplar.timestamp_seconds < 1e12) {
    *to++ = ' ';
    constexpr int millisecond_digits = 3;
    to = std::to_chars(to, to + number_bytes, exemplar.timestamp_seconds, std::chars_format::fixed, millisecond_digits)
             .ptr;
  }
  return to;
}

template <class Number>
void append_sample(Page& page, std::string_view name, std::string_view suffix, LabelSet labels, Number value,
                   const Exemplar* exemplar) {
  char* to = page.room(name.size() + suffix.size() + labels.text.size() + number_bytes + 4);
  to = write_number(write_series(to, name, suffix, labels), value);
  if (exemplar != nullptr) to = write_exemplar(page, to, *exemplar);
  *to++ = '\n';
  page.end(to);
}

void append_scalars(Page& page, const MergedFamily& merged, bool has_exemplars) {
  const auto name = merged.head->name;
  for_each_sample(merged, [&](const Family& family, std::size_t i, std::span<const Exemplar> exemplars) {
    const Exemplar* exemplar = has_exemplars && !exemplars.empty() ? &exemplars.front() : nullptr;
    append_sample(page, name, "", family.labels[i], family.values[i], exemplar);
  });
}

/// Writes the lines of histograms and summaries. Neighbours mostly have equal bounds, so their text is kept.
class DistributionLines {
 public:
  DistributionLines(Page& page, const MergedFamily& merged)
      : page_(page), name_(merged.head->name), is_histogram_(merged.head->type == MetricType::histogram) {}

  void append_bounded(LabelSet labels, const Distribution& distribution, std::span<const Exemplar> exemplars) {
    set_series(labels);
    set_bounds(distribution.bounds);
    if (!is_histogram_) {
      for (std::size_t i = 0; i < distribution.bounds.size(); ++i)
        append_line(bounds_[i], distribution.quantile_values[i], nullptr);
      return;
    }
    for (std::size_t i = 0; i < distribution.bounds.size(); ++i)
      append_line(bounds_[i], distribution.cumulative[i], exemplar_of(exemplars, i));
    append_line("+Inf", distribution.count, exemplar_of(exemplars, distribution.bounds.size()));
  }
  void append_sum(LabelSet labels, const Distribution& distribution) {
    append_sample(page_, name_, "_sum", labels, distribution.sum, nullptr);
  }
  void append_count(LabelSet labels, const Distribution& distribution) {
    append_sample(page_, name_, "_count", labels, distribution.count, nullptr);
  }

 private:
  /// Everything of the lines that comes before the bound.
  void set_series(LabelSet labels) {
    series_.assign(name_).append(is_histogram_ ? "_bucket{" : "{").append(labels.text);
    if (!labels.text.empty()) series_ += ',';
    series_ += is_histogram_ ? "le=\"" : "quantile=\"";
  }
  void set_bounds(std::span<const double> bounds) {
    if (std::equal(bounds.begin(), bounds.end(), known_bounds_.begin(), known_bounds_.end())) return;
    known_bounds_ = bounds;
    bounds_.clear();
    char text[number_bytes];
    for (const double bound : bounds) bounds_.emplace_back(text, write_bound(text, bound));
  }
  template <class Number>
  void append_line(std::string_view bound, Number value, const Exemplar* exemplar) {
    char* to = page_.room(series_.size() + bound.size() + number_bytes + 8);
    to = write_text(write_text(to, series_), bound);
    to = write_number(write_text(to, "\"} "), value);
    if (exemplar != nullptr) to = write_exemplar(page_, to, *exemplar);
    *to++ = '\n';
    page_.end(to);
  }

  Page& page_;
  std::string_view name_;
  bool is_histogram_;
  std::string series_;
  std::span<const double> known_bounds_;
  std::vector<std::string> bounds_;
};

void append_distributions(Page& page, const MergedFamily& merged, bool has_exemplars) {
  DistributionLines lines(page, merged);
  for_each_sample(merged, [&](const Family& family, std::size_t i, std::span<const Exemplar> exemplars) {
    const auto& distribution = family.distributions[i];
    lines.append_bounded(family.labels[i], distribution, has_exemplars ? exemplars : std::span<const Exemplar>());
    lines.append_sum(family.labels[i], distribution);
    lines.append_count(family.labels[i], distribution);
  });
}

void append_family(Page& page, const MergedFamily& merged, bool has_exemplars) {
  const auto type = merged.head->type;
  if (type == MetricType::histogram || type == MetricType::summary)
    append_distributions(page, merged, has_exemplars);
  else
    append_scalars(page, merged, has_exemplars);
}

void append_text_header(Page& page, const Family& head) {
  const auto type = [&]() -> std::string_view {
    switch (head.type) {
      case MetricType::unknown:
        return "untyped";
      case MetricType::info:
      case MetricType::stateset:
        return "gauge";
      default:
        return word(head.type);
    }
  }();
  if (!head.help.empty()) {
    page.append("# HELP ");
    page.append(head.name);
    page.append(" ");
    append_help(page, head.help, "\\\n");
    page.append("\n");
  }
  append_line(page, "# TYPE ", head.name, type);
}

void append_openmetrics_header(Page& page, const Family& head, std::string_view name, MetricType type) {
  if (!head.help.empty()) {
    page.append("# HELP ");
    page.append(name);
    page.append(" ");
    append_help(page, head.help, "\\\n\"");
    page.append("\n");
  }
  append_line(page, "# TYPE ", name, word(type));
  const bool may_have_unit = type != MetricType::info && type != MetricType::stateset && !head.unit.empty();
  if (may_have_unit && name.size() > head.unit.size() && name.ends_with(head.unit) &&
      name[name.size() - head.unit.size() - 1] == '_')
    append_line(page, "# UNIT ", name, head.unit);
}

/// A histogram or summary that OpenMetrics does not allow: each of its series names as a family of its own.
void append_split(Page& page, const MergedFamily& merged) {
  DistributionLines lines(page, merged);
  const auto& head = *merged.head;
  const std::string name(head.name);
  append_openmetrics_header(page, head, head.type == MetricType::histogram ? name + "_bucket" : name,
                            MetricType::unknown);
  for_each_sample(merged, [&](const Family& family, std::size_t i, std::span<const Exemplar>) {
    lines.append_bounded(family.labels[i], family.distributions[i], {});
  });
  append_openmetrics_header(page, head, name + "_sum", MetricType::unknown);
  for_each_sample(merged, [&](const Family& family, std::size_t i, std::span<const Exemplar>) {
    lines.append_sum(family.labels[i], family.distributions[i]);
  });
  append_openmetrics_header(page, head, name + "_count", MetricType::unknown);
  for_each_sample(merged, [&](const Family& family, std::size_t i, std::span<const Exemplar>) {
    lines.append_count(family.labels[i], family.distributions[i]);
  });
}

}  // namespace

std::string encode_text(const Exposition& exposition) {
  Page page(expected_text_bytes(exposition));
  for (const auto& merged : exposition.families) {
    append_text_header(page, *merged.head);
    append_family(page, merged, false);
  }
  return std::move(page).take();
}

std::string encode_openmetrics(const Exposition& exposition) {
  Page page(expected_text_bytes(exposition));
  for (const auto& merged : exposition.families) {
    const auto shape = openmetrics_shape(merged);
    if (shape.is_split) {
      append_split(page, merged);
      continue;
    }
    append_openmetrics_header(page, *merged.head, shape.name, shape.type);
    append_family(page, merged, shape.type == MetricType::counter || shape.type == MetricType::histogram);
  }
  page.append("# EOF\n");
  return std::move(page).take();
}

}  // namespace midst::metrics
