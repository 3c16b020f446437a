#include "agent/web/status.hpp"

#include "lib/base/version.hpp"

#include <nlohmann/json.hpp>

#include <optional>

namespace midst::web {
namespace {

using Json = nlohmann::ordered_json;

Json seconds_or_null(const std::optional<std::chrono::seconds>& age) {
  return age ? Json(age->count()) : Json(nullptr);
}

std::string_view state_of(const scrape::SourceStatus& source) {
  if (!source.was_collected) return "pending";
  return source.is_up ? "up" : "down";
}

Json error_of(const scrape::SourceStatus& source) {
  if (!source.last_error) return nullptr;
  Json error;
  error["reason"] = word(source.last_error->code);
  error["message"] = source.last_error->message;
  error["age_seconds"] = seconds_or_null(source.error_age);
  return error;
}

Json describe(const scrape::SourceStatus& source) {
  Json entry;
  entry["kind"] = source.id.kind;
  entry["target"] = source.id.target;
  entry["address"] = source.whereabouts.address;
  entry["state"] = state_of(source);
  entry["state_age_seconds"] = seconds_or_null(source.state_age);
  entry["retry_in_seconds"] = std::chrono::duration<double>(source.whereabouts.retry_in).count();
  entry["duration_seconds"] =
      source.was_collected ? Json(std::chrono::duration<double>(source.last_duration).count()) : Json(nullptr);
  entry["success_age_seconds"] = seconds_or_null(source.success_age);
  entry["samples"] = source.samples;
  entry["series"] = source.series;
  entry["max_series"] = source.max_series > 0 ? Json(source.max_series) : Json(nullptr);
  entry["bytes"] = source.bytes;
  entry["attempts"] = source.attempts;
  entry["failures"] = source.failures;
  entry["last_error"] = error_of(source);
  return entry;
}

}  // namespace

std::string status_json(const std::vector<scrape::SourceStatus>& sources, const AgentFacts& facts) {
  Json document;
  document["version"] = version();
  document["uptime_seconds"] = facts.uptime.count();
  document["ready"] = facts.is_ready;
  document["view"] = facts.view;
  document["lifecycle"] = facts.has_lifecycle;
  document["probe"] = facts.has_probe;
  const auto& reload = facts.reload;
  document["configuration"] = {{"successful", reload.is_successful},
                               {"loaded_at", reload.loaded_at},
                               {"error", reload.error.empty() ? Json(nullptr) : Json(reload.error)},
                               {"waits_for_restart", reload.waits_for_restart}};
  document["push"] = {{"clients", facts.push.clients}, {"series", facts.push.series}};
  std::size_t samples = 0;
  document["targets"] = Json::array();
  for (const auto& source : sources) {
    samples += source.samples;
    document["targets"].push_back(describe(source));
  }
  document["samples"] = samples;
  for (const auto& [name, value] : facts.counters) document["counters"][name] = value;
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace midst::web
