#include "api/http/validation.hpp"

#include "api/http/identifiers.hpp"
#include "lib/base/text.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace midst::api {
namespace {

using nlohmann::json;

/// @return how deep the brackets of the text nest; strings are skipped. Good for any text, JSON or not.
std::size_t nesting_depth(std::string_view text) noexcept {
  std::size_t depth = 0, deepest = 0;
  bool is_in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_in_string) {
      if (c == '\\') ++i;
      if (c == '"') is_in_string = false;
    } else if (c == '"') {
      is_in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

bool has_nul(std::string_view text) noexcept {
  return text.find('\0') != std::string_view::npos;
}

/// Depth is bounded, so recursion is.
bool holds_nul(const json& value) {
  if (value.is_string()) return has_nul(value.get_ref<const std::string&>());
  if (value.is_array()) return std::any_of(value.begin(), value.end(), holds_nul);
  if (!value.is_object()) return false;
  return std::any_of(value.items().begin(), value.items().end(),
                     [](const auto& item) { return has_nul(item.key()) || holds_nul(item.value()); });
}

bool is_graphic(std::string_view text) noexcept {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7F'; });
}

bool is_slug(std::string_view text) noexcept {
  if (text.empty() || text.front() == '-' || text.back() == '-' || text.find("--") != std::string_view::npos)
    return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

bool is_url(std::string_view text) noexcept {
  if (!is_graphic(text)) return false;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!text.starts_with(scheme)) continue;
    const auto host = text.substr(scheme.size(), text.find_first_of("/?#", scheme.size()) - scheme.size());
    return !host.empty() && !host.starts_with(':') && host.find('@') == std::string_view::npos;
  }
  return false;
}

bool is_email(std::string_view text) noexcept {
  const auto at = text.find('@');
  if (at == std::string_view::npos || at == 0 || at > 64 || !is_graphic(text)) return false;
  const auto domain = text.substr(at + 1);
  if (domain.find('@') != std::string_view::npos || domain.find('.') == std::string_view::npos) return false;
  const auto labels = text::split(domain, '.');
  return std::none_of(labels.begin(), labels.end(), [](std::string_view label) { return label.empty(); });
}

class Checker {
 public:
  explicit Checker(FieldErrors& errors) : errors_(errors) {}

  json object(const json& value, std::span<const FieldRule> rules, const std::string& path) {
    if (!value.is_object()) return refuse(path, "must be an object");
    json kept = json::object();
    for (const auto& rule : rules) {
      const auto name = path.empty() ? std::string(rule.name) : fmt::format("{}.{}", path, rule.name);
      const auto found = value.find(std::string(rule.name));
      if (found != value.end())
        kept[std::string(rule.name)] = field(*found, rule, name);
      else if (rule.presence == Presence::required)
        refuse(name, "is required");
    }
    return kept;
  }

 private:
  json field(const json& value, const FieldRule& rule, const std::string& path) {
    switch (rule.kind) {
      case FieldKind::flag:
        return value.is_boolean() ? value : refuse(path, "must be true or false");
      case FieldKind::object:
        return object(value, rule.fields, path);
      case FieldKind::texts:
      case FieldKind::values:
      case FieldKind::objects:
        return array(value, rule, path);
      default:
        return string(value, rule, path);
    }
  }

  json string(const json& value, const FieldRule& rule, const std::string& path) {
    if (!value.is_string()) return refuse(path, "must be a string");
    const auto& text = value.get_ref<const std::string&>();
    if (rule.kind == FieldKind::uuid) {
      const auto uuid = parse_uuid(text);
      return uuid ? json(*uuid) : refuse(path, "must be a UUID");
    }
    if (rule.kind == FieldKind::choice) {
      const bool is_choice = std::find(rule.choices.begin(), rule.choices.end(), text) != rule.choices.end();
      return is_choice ? value : refuse(path, fmt::format("must be one of {}", fmt::join(rule.choices, ", ")));
    }
    if (text.size() < rule.min || text.size() > rule.max)
      return refuse(path, fmt::format("must have {} to {} bytes", rule.min, rule.max));
    if (rule.kind == FieldKind::slug && !is_slug(text))
      return refuse(path, "must be lower case letters and digits with single dashes between them");
    if (rule.kind == FieldKind::url && !is_url(text)) return refuse(path, "must be an http or https URL");
    if (rule.kind == FieldKind::email && !is_email(text)) return refuse(path, "must be an e-mail address");
    return value;
  }

  json array(const json& value, const FieldRule& rule, const std::string& path) {
    if (!value.is_array()) return refuse(path, "must be an array");
    if (value.size() > rule.max) return refuse(path, fmt::format("must have at most {} elements", rule.max));
    if (rule.kind == FieldKind::values) return value;
    json kept = json::array();
    for (std::size_t i = 0; i < value.size(); ++i) {
      const auto name = fmt::format("{}[{}]", path, i);
      if (rule.kind == FieldKind::objects)
        kept.push_back(object(value[i], rule.fields, name));
      else if (value[i].is_string() && !value[i].get_ref<const std::string&>().empty())
        kept.push_back(value[i]);
      else
        refuse(name, "must be a string that is not empty");
    }
    return kept;
  }

  json refuse(const std::string& path, std::string message) {
    if (errors_.size() < max_field_errors) errors_.push_back({path.empty() ? "body" : path, std::move(message)});
    return {};
  }

  FieldErrors& errors_;
};

}  // namespace

Result<json> parse_json(std::string_view text) {
  if (nesting_depth(text) > max_json_depth)
    return Error{Errc::protocol, fmt::format("the JSON is nested deeper than {}", max_json_depth)};
  auto document = json::parse(text, nullptr, false);
  if (document.is_discarded()) return Error{Errc::protocol, "the body is not valid JSON"};
  if (holds_nul(document)) return Error{Errc::protocol, "the JSON holds the character U+0000"};
  // Spelled out: a json converts to and from nearly everything.
  return Result<json>(boost::system::in_place_value, std::move(document));
}

json check_object(const json& document, std::span<const FieldRule> rules, FieldErrors& errors) {
  return Checker(errors).object(document, rules, {});
}

std::uint64_t integer_parameter(const net::Request& request, std::string_view name, std::uint64_t fallback,
                                std::uint64_t min, std::uint64_t max, FieldErrors& errors) {
  const auto values = request.parameters(name);
  if (values.empty()) return fallback;
  if (values.size() > 1) {
    errors.push_back({std::string(name), "must be given once"});
    return fallback;
  }
  const auto& text = values.front();
  const bool is_digits = text.find_first_not_of("0123456789") == std::string::npos;
  const auto number = text::parse_integer(text);
  if (is_digits && number) {
    const auto value = static_cast<std::uint64_t>(*number);
    if (value >= min && value <= max) return value;
  }
  errors.push_back({std::string(name), fmt::format("must be an integer from {} to {}", min, max)});
  return fallback;
}

}  // namespace midst::api
