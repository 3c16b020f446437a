// CONFIG GET * → one series for each setting, without those that may hold a secret.
#pragma once

#include "agent/sources/redis/collector.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace midst::sources::redis_info {

/// How all settings are shown.
struct AllSettingsOptions {
  std::string config_command = "CONFIG";  ///< Its name where it was renamed.
  std::chrono::seconds interval{60};      ///< Settings younger than this are not asked for again.
  /// Whether settings with one of `redacted_words` in their name are left out. Those that hold a password by their
  /// nature are left out in any case; see is_secret().
  bool redact = true;
  std::vector<std::string> redacted_words = {"pass", "auth", "secret", "user"};
  std::size_t max_settings = 1000;    ///< Settings with series; 1 … 10000.
  std::size_t max_value_bytes = 256;  ///< A longer value gets no redis_config_key_value. 1 … 10000.
};

/// @return whether the setting holds a secret whatever the options say: requirepass, masterauth, the passphrases of
/// keys, and whatever has "pass" or "secret" in its name.
[[nodiscard]] bool is_secret(std::string_view name) noexcept;
/// @return whether the setting is left out; "tls-auth-clients" never is: it is a switch.
[[nodiscard]] bool is_redacted(std::string_view name, const AllSettingsOptions& options) noexcept;

/// Collector "config_all".
[[nodiscard]] std::unique_ptr<Collector> make_all_settings(AllSettingsOptions options);

}  // namespace midst::sources::redis_info
