// web.yml: whatever it holds, settings or problems come of it, and no account without a hash that can be checked.
#include "agent/app/web_yaml.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  midst::app::WebConfig web;
  const std::string_view yaml(reinterpret_cast<const char*>(data), size);
  const auto problems = midst::app::parse_web_yaml(yaml, "folder/web.yml", web);
  for (const auto& problem : problems)
    if (!problem.place.starts_with("folder/web.yml:")) std::abort();
  for (const auto& account : web.guard.accounts)
    if (!midst::web::check_hash(account.hash) || account.name.empty()) std::abort();
  for (const auto& [name, value] : web.guard.headers)
    if (value.empty() || value.find('\n') != std::string::npos) std::abort();
  return 0;
}
