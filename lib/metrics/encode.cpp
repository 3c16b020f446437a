#include "lib/metrics/encode.hpp"

#include "lib/base/text.hpp"
#include "lib/metrics/page.hpp"

#include <optional>

namespace midst::metrics {
namespace {

/// One element of an Accept header (RFC 9110 section 12.5.1) with the parameters that tell our formats apart.
struct MediaRange {
  std::string_view type, version, proto, encoding;
  double q = 1;
  bool is_valid = true;
};

std::string_view unquoted(std::string_view value) noexcept {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') return value.substr(1, value.size() - 2);
  return value;
}

MediaRange parse_range(std::string_view text) {
  MediaRange range;
  range.type = text::trim(text::take_until(text, ';'));
  while (!text.empty()) {
    auto value = text::trim(text::take_until(text, ';'));
    const auto name = text::trim(text::take_until(value, '='));
    value = unquoted(text::trim(value));
    if (text::equal_ignoring_case(name, "version")) range.version = value;
    if (text::equal_ignoring_case(name, "proto")) range.proto = value;
    if (text::equal_ignoring_case(name, "encoding")) range.encoding = value;
    if (!text::equal_ignoring_case(name, "q")) continue;
    const auto q = text::parse_number(value);
    // Prometheus 2.49 sends "*/*;q=2" by mistake; taken as no offer, its other q values decide as intended.
    range.is_valid = q.has_value() && *q >= 0 && *q <= 1;
    range.q = range.is_valid ? *q : 0;
  }
  return range;
}

/// @return the format a named range means, if it is one of ours.
std::optional<Format> named_format(const MediaRange& range) {
  const auto is_version = [&](std::string_view version) { return range.version == version; };
  if (text::equal_ignoring_case(range.type, "application/vnd.google.protobuf")) {
    const bool is_ours =
        range.proto == "io.prometheus.client.MetricFamily" && text::equal_ignoring_case(range.encoding, "delimited");
    return is_ours ? std::optional(Format::protobuf) : std::nullopt;
  }
  if (text::equal_ignoring_case(range.type, "application/openmetrics-text")) {
    const bool is_ours = is_version("") || is_version("1.0.0") || is_version("0.0.1");
    return is_ours ? std::optional(Format::openmetrics) : std::nullopt;
  }
  if (text::equal_ignoring_case(range.type, "text/plain") && (is_version("") || is_version("0.0.4")))
    return Format::text;
  return std::nullopt;
}

bool is_wildcard(const MediaRange& range) {
  return range.type == "*/*" || text::equal_ignoring_case(range.type, "text/*");
}

}  // namespace

Format negotiate(std::string_view accept) {
  double named[] = {-1, -1, -1};  // by Format; -1: not named
  double any = 0;
  while (!accept.empty()) {
    const auto range = parse_range(text::take_until(accept, ','));
    if (!range.is_valid) continue;
    if (is_wildcard(range)) any = std::max(any, range.q);
    if (const auto format = named_format(range)) {
      auto& q = named[static_cast<std::size_t>(*format)];
      q = std::max(q, range.q);
    }
  }
  auto best = Format::text;
  double best_q = named[0] < 0 ? any : named[0];
  for (const auto format : {Format::openmetrics, Format::protobuf}) {
    const double q = named[static_cast<std::size_t>(format)];
    if (q <= 0 || q < best_q) continue;
    best = format;
    best_q = q;
  }
  return best;
}

std::string_view content_type(Format format) noexcept {
  switch (format) {
    case Format::text:
      return "text/plain; version=0.0.4; charset=utf-8";
    case Format::openmetrics:
      return "application/openmetrics-text; version=1.0.0; charset=utf-8";
    case Format::protobuf:
      return "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
  }
  return "text/plain; version=0.0.4; charset=utf-8";
}

std::string encode(const Exposition& exposition, Format format) {
  switch (format) {
    case Format::text:
      return encode_text(exposition);
    case Format::openmetrics:
      return encode_openmetrics(exposition);
    case Format::protobuf:
      return encode_protobuf(exposition);
  }
  return encode_text(exposition);
}

}  // namespace midst::metrics
