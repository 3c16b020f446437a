#include "agent/sources/redis/commands/modules.hpp"

#include "lib/base/text.hpp"

#include <string>
#include <utility>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;

constexpr MetricSpec module_info{"redis_module_info", MetricType::gauge, "",
                                 "A loaded module: its version, and which modules it uses or is used by. Always 1.",
                                 "api,filters,name,usedby,using,ver"};
constexpr std::size_t max_modules = 64;

struct Field {
  std::string_view name;
  std::string_view Module::*member;
};
constexpr Field fields_of_a_module[] = {{"name", &Module::name},      {"ver", &Module::version},
                                        {"api", &Module::api},        {"filters", &Module::filters},
                                        {"usedby", &Module::used_by}, {"using", &Module::uses}};

/// INFO MODULES; INFO itself leaves that section out unless it is named.
class Modules final : public Collector {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "modules"; }
  [[nodiscard]] std::vector<MetricSpec> specs() const override { return {module_info}; }
  [[nodiscard]] std::vector<std::string> rights() const override { return {"+info"}; }

  void ask(const Round& round, Batch& batch) override {
    if (round.index > 0) return;
    text_.clear();
    // Modules came with Redis 4.0, and with them the section.
    if (!round.facts.is_sentinel && round.facts.version >= 40000) batch.add({"INFO", "modules"});
  }

  [[nodiscard]] Result<Done> read(std::vector<redis::Reply> replies, const Round&) override {
    const auto text = replies.front().as_text();
    if (!text) return text.error().with_context("INFO modules");
    text_ = std::string(*text);
    return Done{};
  }

  void add(const Page& page) override;

 private:
  std::string text_;
};

void Modules::add(const Page& page) {
  std::size_t modules = 0;
  for (std::string_view rest = text_; !rest.empty();) {
    auto line = text::take_until(rest, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (text::take_until(line, ':') != "module") continue;
    const auto module = parse_module(line);
    if (!module || ++modules > max_modules) continue;
    page.builder.add(module_info,
                     {{"name", module->name},
                      {"ver", module->version},
                      {"api", module->api},
                      {"filters", module->filters},
                      {"usedby", module->used_by},
                      {"using", module->uses}},
                     1);
  }
  if (modules > max_modules) add_folded(module_info, modules - max_modules, page.builder);
  (void)add_known_fields(text_, page.builder);
}

}  // namespace

std::optional<Module> parse_module(std::string_view fields) noexcept {
  Module module;
  while (!fields.empty()) {
    auto value = text::take_until(fields, ',');
    const auto name = text::take_until(value, '=');
    for (const auto& field : fields_of_a_module)
      if (field.name == name) module.*field.member = value;
  }
  if (module.name.empty()) return std::nullopt;
  return module;
}

std::unique_ptr<Collector> make_modules() {
  return std::make_unique<Modules>();
}

}  // namespace midst::sources::redis_info
