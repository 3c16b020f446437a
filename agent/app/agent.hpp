// The composition root: builds every part of the daemon in floor order and stops them in reverse.
#pragma once

#include "agent/app/config.hpp"
#include "agent/scrape/scraper.hpp"
#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <functional>
#include <memory>
#include <string>

namespace midst::app {

/// @return the Scraper with every target of the configuration as a Source; what run, check and collect stand on.
[[nodiscard]] std::unique_ptr<scrape::Scraper> make_target_scraper(asio::any_io_executor executor,
                                                                   const Config& config);

/// Reads the configuration anew.
using ConfigLoader = std::function<ParsedConfig()>;

class Agent {
 public:
  /// @param config  what it starts with. @param load  called at each reload.
  Agent(asio::any_io_executor executor, Config config, ConfigLoader load);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  /// Opens every listener. @return why not, naming the setting; nothing stays open then.
  Result<Done> start();

  /// Takes a changed configuration over: reads it, opens what is new, swaps, lets the old drain. Targets whose settings
  /// are the same keep their connections and what they have counted.
  /// @return what has changed, in words; or every problem, with its place: then the old configuration stays in force.
  Result<std::string> reload();

  /// Stops accepting, answers what is under way, takes what clients have sent; returns by `deadline` at the latest.
  asio::awaitable<void> stop(Deadline deadline);

  /// @return one line about what is served, for logs and systemd.
  [[nodiscard]] std::string summary() const;
  /// @return one line about how it goes, for `systemctl status`.
  [[nodiscard]] std::string state_line() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace midst::app
