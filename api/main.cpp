// midst-api: the command line, and the only place that ends the process.
#include "api/app/service.hpp"
#include "lib/base/version.hpp"

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

namespace {

constexpr int exit_usage = 64, exit_config = 78;  // sysexits(3)

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

midst::api::LoadedConfig load(const std::string& path) {
  if (path.empty()) return midst::api::default_config(environment);
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file) return {{}, {fmt::format("{}: error: cannot be read", path)}};
  return midst::api::parse_config(text, path, environment);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("midst-api: profiles over HTTP and JSON, instrumented for midst-agent", "midst-api");
  std::string config_path;
  app.add_option("--config", config_path, "Settings, see configs/midst-api.toml; without it the defaults are used")
      ->type_name("FILE");
  app.set_version_flag("--version", fmt::format("midst-api {}", midst::version()));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& end) {
    return app.exit(end) == 0 ? 0 : exit_usage;
  }
  const auto loaded = load(config_path);
  for (const auto& error : loaded.errors) fmt::print(stderr, "{}\n", error);
  if (!loaded.errors.empty()) return exit_config;
  return midst::api::run_service(loaded.config);
}
