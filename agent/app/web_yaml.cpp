#include "agent/app/web_yaml.hpp"

#include "agent/app/yaml_reader.hpp"
#include "lib/base/text.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <string>

namespace midst::app {
namespace {

class WebFile {
 public:
  WebFile(std::string_view yaml, std::string_view file_name, WebConfig& web)
      : yaml_(yaml, file_name), folder_(std::filesystem::path(file_name).parent_path()), web_(web) {}

  std::vector<Problem> read() {
    if (const auto* root = yaml_.root("settings"); root != nullptr)
      read_fields(*root, "the file",
                  {{"tls_server_config", [this](const YamlNode& node) { read_tls(node); }},
                   {"http_server_config", [this](const YamlNode& node) { read_http(node); }},
                   {"basic_auth_users", [this](const YamlNode& node) { read_users(node); }},
                   {"rate_limit", [this](const YamlNode& node) { read_rate_limit(node); }}});
    return yaml_.take_problems();
  }

 private:
  void read_fields(const YamlNode& map, std::string_view what, const YamlReader::Fields& fields) {
    if (map.kind != YamlNode::Kind::null) yaml_.read_fields(map, what, YamlReader::Unknown::refused, fields);
  }

  void read_tls(const YamlNode& node) {
    auto& tls = web_.tls;
    web_.tls_place = yaml_.place_text(node.place);
    const auto inline_text = [this](const YamlNode& value) {
      yaml_.report(value.place,
                   "certificates and keys are taken from files only; name one with cert_file, key_file or "
                   "client_ca_file");
    };
    const auto file = [this](std::string_view what, std::string& out) {
      return [this, what, &out](const YamlNode& value) { read_file_name(value, what, out); };
    };
    const auto list = [this](std::string_view what, std::vector<std::string>& out) {
      return [this, what, &out](const YamlNode& value) { read_list(value, what, out); };
    };
    read_fields(
        node, "tls_server_config",
        {{"cert_file", file("cert_file", tls.cert_file)},
         {"key_file", file("key_file", tls.key_file)},
         {"client_ca_file", file("client_ca_file", tls.client_ca_file)},
         {"cert", inline_text},
         {"key", inline_text},
         {"client_ca", inline_text},
         {"client_auth_type",
          [&](const YamlNode& value) { read_word(value, "client_auth_type", &net::client_auth, tls.client_auth); }},
         {"client_allowed_sans", list("client_allowed_sans", tls.client_allowed_sans)},
         {"min_version",
          [&](const YamlNode& value) { read_word(value, "min_version", &net::tls_version, tls.min_version); }},
         {"max_version",
          [&](const YamlNode& value) { read_word(value, "max_version", &net::tls_version, tls.max_version); }},
         {"cipher_suites", list("cipher_suites", tls.cipher_suites)},
         {"curve_preferences", list("curve_preferences", tls.curve_preferences)},
         {"prefer_server_cipher_suites", [this](const YamlNode& value) { pass_bool(value); }}});
    if (tls.cert_file.empty() && tls.key_file.empty() && node.kind == YamlNode::Kind::map)
      yaml_.report(node.place, "tls_server_config has no cert_file and key_file");
  }

  void read_http(const YamlNode& node) {
    read_fields(node, "http_server_config",
                {{"http2", [this](const YamlNode& value) { pass_bool(value); }},  // HTTP/1.1 is all there is
                 {"headers", [this](const YamlNode& value) { read_headers(value); }}});
  }

  void read_headers(const YamlNode& node) {
    YamlReader::Fields fields;
    for (const auto name : header_names())
      fields.emplace_back(name, [this, name](const YamlNode& value) {
        if (const auto* text = yaml_.text_of(value, name); text != nullptr)
          report_failure(value, name, set_header(web_.guard, name, *text));
      });
    read_fields(node, "headers", fields);
  }

  void read_users(const YamlNode& node) {
    if (node.kind == YamlNode::Kind::null) return;
    yaml_.each_pair(node, "basic_auth_users", [this](const YamlNode& key, const YamlNode& value) {
      if (const auto* hash = yaml_.text_of(value, "a password's hash"); hash != nullptr)
        report_failure(value, "basic_auth_users." + key.text, set_account(web_.guard, key.text, *hash));
    });
  }

  void read_rate_limit(const YamlNode& node) {
    auto& guard = web_.guard;
    read_fields(node, "rate_limit",
                {{"interval",
                  [&](const YamlNode& value) {
                    const auto* text = yaml_.text_of(value, "interval");
                    if (text == nullptr) return;
                    const auto interval = text::parse_duration(*text);
                    if (!interval || *interval > std::chrono::hours(1))
                      return yaml_.report(value.place, "interval takes a duration like \"1s\", of an hour at most");
                    guard.rate_interval = *interval;
                  }},
                 {"burst", [&](const YamlNode& value) {
                    const auto burst = text::parse_integer(value.text);
                    if (value.kind != YamlNode::Kind::scalar || !burst || *burst < 1 || *burst > 100'000)
                      return yaml_.report(value.place, "burst takes a whole number from 1 to 100000");
                    guard.rate_burst = static_cast<std::size_t>(*burst);
                  }}});
  }

  void read_file_name(const YamlNode& node, std::string_view what, std::string& out) {
    const auto* text = yaml_.text_of(node, what);
    if (text == nullptr || text->empty()) return;
    out = (folder_ / *text).lexically_normal().string();  // an absolute one stays what it is
  }

  void read_list(const YamlNode& node, std::string_view what, std::vector<std::string>& out) {
    yaml_.each_item(node, what, [&](const YamlNode& item) {
      if (const auto* text = yaml_.text_of(item, what); text != nullptr) out.push_back(*text);
    });
  }

  template <class Value>
  void read_word(const YamlNode& node, std::string_view what, Result<Value> (*value_of)(std::string_view), Value& out) {
    const auto* text = yaml_.text_of(node, what);
    if (text == nullptr) return;
    const auto value = value_of(*text);
    if (!value) return yaml_.report(node.place, fmt::format("{}: {}", what, value.error().message));
    out = *value;
  }

  /// A switch that changes nothing here.
  void pass_bool(const YamlNode& node) {
    const auto word = text::lower(node.text);
    if (node.kind != YamlNode::Kind::scalar || (word != "true" && word != "false"))
      yaml_.report(node.place, "this takes true or false");
  }

  void report_failure(const YamlNode& node, std::string_view what, const Result<Done>& outcome) {
    if (!outcome) yaml_.report(node.place, fmt::format("{}: {}", what, outcome.error().message));
  }

  YamlReader yaml_;
  std::filesystem::path folder_;
  WebConfig& web_;
};

}  // namespace

std::vector<Problem> parse_web_yaml(std::string_view yaml, std::string_view file_name, WebConfig& web) {
  return WebFile(yaml, file_name, web).read();
}

}  // namespace midst::app
