#include "agent/web/routes.hpp"

#include "embedded/web.hpp"
#include "lib/base/text.hpp"
#include "lib/metrics/encode.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <set>
#include <utility>

namespace midst::web {
namespace {

using net::Request;
using net::Response;

constexpr std::size_t quoted_bytes = 64;  // of a client's text, in an answer

struct View {
  std::string_view name;
  std::string_view kind;  ///< Of the sources it shows.
};
constexpr View view_table[] = {
    {"redis", "redis"}, {"postgres", "postgres"}, {"pgbouncer", "pgbouncer"}, {"api", "push"}};
constexpr std::array<std::string_view, 5> known_kinds{"redis", "postgres", "pgbouncer", "push", "agent"};
constexpr std::array<std::string_view, 3> target_kinds{"redis", "postgres", "pgbouncer"};

/// An embedded file of the status page.
struct Asset {
  std::string_view path, content_type, bytes;
};
constexpr Asset assets[] = {
    {"/", "text/html; charset=utf-8", embedded::index_html},
    {"/ui/app.js", "text/javascript; charset=utf-8", embedded::app_js},
    {"/ui/style.css", "text/css; charset=utf-8", embedded::style_css},
    {"/ui/icon.svg", "image/svg+xml", embedded::icon_svg},
    {"/favicon.ico", "image/svg+xml", embedded::icon_svg},
};

constexpr std::string_view content_security_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

Response plain(unsigned status, std::string sentence) {
  Response response;
  response.status = status;
  response.body = std::move(sentence) + '\n';
  return response;
}

Response json(std::string document) {
  Response response;
  response.content_type = "application/json";
  response.body = std::move(document);
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

/// A client's text, safe to show: cut, with control characters escaped.
std::string quote(std::string_view text) {
  std::string out;
  text::append_json_string(out, text.substr(0, quoted_bytes));
  return out;
}

std::optional<std::string_view> kind_of_view(std::string_view view) {
  for (const auto& entry : view_table)
    if (entry.name == view) return entry.kind;
  return std::nullopt;
}

/// @return the page in the form that the request accepts.
Response encoded(const metrics::Exposition& exposition, const Request& request) {
  const auto format = metrics::negotiate(request.header("Accept"));
  Response response;
  response.content_type = metrics::content_type(format);
  response.body = metrics::encode(exposition, format);
  return response;
}

/// @return the value of a family that has one sample, as a single target's page has it.
std::optional<double> only_value(const metrics::Exposition& exposition, std::string_view family) {
  for (const auto& merged : exposition.families)
    if (merged.head->name == family && merged.parts.size() == 1 && merged.head->values.size() == 1)
      return merged.head->values.front();
  return std::nullopt;
}

/// What a page shows, or the answer to a request that asks for something unknown.
using Selected = boost::system::result<scrape::Selection, Response>;

class Site {
 public:
  Site(scrape::Scraper& scraper, WebOptions options, Hooks hooks)
      : scraper_(&scraper), options_(std::move(options)), hooks_(std::move(hooks)) {}

  static asio::awaitable<Response> answer(std::shared_ptr<const Site> site, Request request);

  asio::awaitable<Response> metrics(Request request) const;
  asio::awaitable<Response> view(Request request) const;
  asio::awaitable<Response> probe(Request request) const;
  asio::awaitable<Response> scrape_once(Request request) const;
  asio::awaitable<Response> discover(Request request) const;
  asio::awaitable<Response> queries(Request request) const;
  asio::awaitable<Response> role(Request request) const;
  asio::awaitable<Response> healthy(Request request) const;
  asio::awaitable<Response> ready(Request request) const;
  asio::awaitable<Response> reload(Request request) const;
  asio::awaitable<Response> status(Request request) const;
  asio::awaitable<Response> live(Request request) const;
  asio::awaitable<Response> asset(Request request) const;

 private:
  asio::awaitable<Response> page(Request request, std::string_view view) const;
  asio::awaitable<Response> scrape(Request request, scrape::Selection selection) const;
  [[nodiscard]] Selected select(const Request& request, std::string_view view) const;
  [[nodiscard]] std::string known_targets() const;
  [[nodiscard]] Deadline deadline_of(const Request& request) const;
  [[nodiscard]] AgentFacts facts() const;
  [[nodiscard]] bool is_ready() const { return !hooks_.is_ready || hooks_.is_ready(); }

  scrape::Scraper* scraper_;
  WebOptions options_;
  Hooks hooks_;
};

struct Route {
  std::string_view path;
  std::string_view methods;  ///< As the Allow header has them.
  asio::awaitable<Response> (Site::*answer)(Request) const;
};

constexpr std::string_view reading = "GET, HEAD";
constexpr std::string_view writing = "PUT, POST";

constexpr Route routes[] = {
    {"/metrics", reading, &Site::metrics},
    {"/metrics/redis", reading, &Site::view},
    {"/metrics/postgres", reading, &Site::view},
    {"/metrics/pgbouncer", reading, &Site::view},
    {"/metrics/api", reading, &Site::view},
    {"/probe", reading, &Site::probe},
    {"/scrape", reading, &Site::scrape_once},
    {"/discover-cluster-nodes", reading, &Site::discover},
    {"/queries", reading, &Site::queries},
    {"/primary", reading, &Site::role},
    {"/replica", reading, &Site::role},
    {"/-/healthy", reading, &Site::healthy},
    {"/-/ready", reading, &Site::ready},
    {"/-/reload", writing, &Site::reload},
    {"/api/v1/status", reading, &Site::status},
    {"/api/v1/live", reading, &Site::live},
    {"/", reading, &Site::asset},
    {"/ui/app.js", reading, &Site::asset},
    {"/ui/style.css", reading, &Site::asset},
    {"/ui/icon.svg", reading, &Site::asset},
    {"/favicon.ico", reading, &Site::asset},
};

bool is_allowed(std::string_view methods, std::string_view method) {
  for (const auto each : text::split(methods, ','))
    if (text::trim(each) == method) return true;
  return false;
}

Response wrong_method(const Route& route) {
  auto response = plain(405, fmt::format("{} takes {}", route.path, route.methods));
  response.headers.emplace_back("Allow", route.methods);
  return response;
}

asio::awaitable<Response> Site::answer(std::shared_ptr<const Site> site, Request request) {
  const auto* route =
      std::find_if(std::begin(routes), std::end(routes), [&](const Route& each) { return each.path == request.path; });
  Response response;
  if (route == std::end(routes)) {
    response = plain(404, "no such page; the start page at / links to all there are");
  } else if (!is_allowed(route->methods, request.method)) {
    response = wrong_method(*route);
  } else {
    auto answering = ((*site).*(route->answer))(std::move(request));
    response = co_await std::move(answering);
  }
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  co_return response;
}

asio::awaitable<Response> Site::metrics(Request request) const {
  auto answering = page(std::move(request), options_.view);
  co_return co_await std::move(answering);
}

asio::awaitable<Response> Site::view(Request request) const {
  const auto name = request.path.substr(std::string_view("/metrics/").size());
  auto answering = page(std::move(request), name);
  co_return co_await std::move(answering);
}

asio::awaitable<Response> Site::probe(Request request) const {
  if (!options_.probe) co_return plain(404, "probing is off; set probe = true under [web] to turn it on");
  if (request.parameters("target").empty())
    co_return plain(400, fmt::format("name a target, like /probe?target=NAME; known: {}", known_targets()));
  auto selected = select(request, "");
  if (!selected) co_return selected.error();
  // What the agent says of itself belongs to /metrics alone.
  if (selected->kinds.empty()) selected->kinds.assign(target_kinds.begin(), target_kinds.end());
  auto answering = scrape(std::move(request), std::move(*selected));
  co_return co_await std::move(answering);
}

asio::awaitable<Response> Site::scrape_once(Request request) const {
  if (!options_.probe || !hooks_.scrape_once)
    co_return plain(404, "scraping on demand is off; set probe = true under [web] to turn it on");
  const auto targets = request.parameters("target");
  ProbeRequest probe{targets.empty() ? "" : targets.front(), {}, deadline_of(request)};
  for (const auto name : {"check-keys", "check-single-keys", "check-streams", "check-single-streams", "count-keys"})
    for (auto& value : request.parameters(name)) probe.checks.emplace_back(name, std::move(value));
  auto scraping = hooks_.scrape_once(std::move(probe));
  const auto page = co_await std::move(scraping);
  if (!page) co_return plain(page.error().code == Errc::config ? 400 : 502, page.error().message);
  co_return encoded(**page, request);
}

asio::awaitable<Response> Site::discover(Request request) const {
  if (!options_.discovery || !hooks_.discover)
    co_return plain(404, "cluster discovery is off; set discovery = true under [web] to turn it on");
  const auto targets = request.parameters("target");
  auto discovering = hooks_.discover(targets.empty() ? "" : targets.front(), deadline_of(request));
  const auto nodes = co_await std::move(discovering);
  if (!nodes) co_return plain(nodes.error().code == Errc::config ? 400 : 502, nodes.error().message);
  // The form of Prometheus' http_sd_config: one group without labels.
  std::string document = R"([{"targets":[)";
  for (const auto& node : *nodes) {
    if (&node != &nodes->front()) document += ',';
    text::append_json_string(document, node);
  }
  co_return json(document + R"(],"labels":{}}])");
}

Deadline Site::deadline_of(const Request& request) const {
  return std::chrono::steady_clock::now() +
         scrape_budget(request.header("X-Prometheus-Scrape-Timeout-Seconds"), options_.scrape_timeout);
}

asio::awaitable<Response> Site::page(Request request, std::string_view view) const {
  auto selected = select(request, view);
  if (!selected) co_return selected.error();
  auto answering = scrape(std::move(request), std::move(*selected));
  co_return co_await std::move(answering);
}

asio::awaitable<Response> Site::scrape(Request request, scrape::Selection selection) const {
  auto scraping = scraper_->scrape(std::move(selection), deadline_of(request));
  const auto exposition = co_await std::move(scraping);
  co_return encoded(*exposition, request);
}

Selected Site::select(const Request& request, std::string_view view) const {
  scrape::Selection selection;
  selection.targets = request.parameters("target");
  selection.kinds = request.parameters("collect[]");
  for (const auto& kind : selection.kinds)
    if (std::find(known_kinds.begin(), known_kinds.end(), kind) == known_kinds.end())
      return plain(400, fmt::format("unknown collect[] {}; known: {}", quote(kind), fmt::join(known_kinds, ", ")));
  if (const auto kind = kind_of_view(view)) {
    for (const auto& asked : selection.kinds)
      if (asked != *kind) return plain(400, fmt::format("this page shows {} alone; leave collect[] out", *kind));
    selection.kinds = {std::string(*kind)};
  }
  // The push store and the agent itself have the empty name; they are no targets to ask for.
  const bool has_empty_name = std::count(selection.targets.begin(), selection.targets.end(), "") > 0;
  if (const auto unknown = has_empty_name ? std::string() : scraper_->unknown_target(selection))
    return plain(400, fmt::format("unknown target {}; known: {}", quote(*unknown), known_targets()));
  return selection;
}

std::string Site::known_targets() const {
  std::set<std::string> names;
  for (const auto& source : scraper_->status())
    if (!source.id.target.empty()) names.insert(source.id.target);
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

asio::awaitable<Response> Site::queries(Request request) const {
  if (!options_.queries || !hooks_.statement_texts)
    co_return plain(404, "the texts of statements are off; set queries = true under [web] to turn them on");
  const auto selected = select(request, "postgres");
  if (!selected) co_return selected.error();
  std::string document;
  for (const auto& [target, texts] : hooks_.statement_texts()) {
    if (!selected->includes({"postgres", target})) continue;
    document.append(document.empty() ? R"({"target":)" : R"(,{"target":)");
    text::append_json_string(document, target);
    document.append(R"(,"queries":)").append(texts).push_back('}');
  }
  co_return json(R"({"targets":[)" + document + "]}");
}

/// For load balancers: 200 when the Postgres target is of that role, 404 when it is of the other, 503 when it is down.
asio::awaitable<Response> Site::role(Request request) const {
  auto selected = select(request, "postgres");
  if (!selected) co_return selected.error();
  const auto sources = scraper_->status();
  const auto chosen =
      std::count_if(sources.begin(), sources.end(), [&](const auto& source) { return selected->includes(source.id); });
  if (chosen != 1)
    co_return plain(400, fmt::format("{} Postgres targets; name one, like {}?target=NAME", chosen, request.path));
  auto scraping = scraper_->scrape(std::move(*selected), deadline_of(request));
  const auto page = co_await std::move(scraping);
  const auto is_replica = only_value(*page, "pg_replication_is_replica");
  if (only_value(*page, "pg_up").value_or(0) != 1 || !is_replica) co_return plain(503, "down");
  const auto role = *is_replica == 1 ? "replica" : "primary";
  co_return plain(request.path.substr(1) == role ? 200 : 404, role);
}

asio::awaitable<Response> Site::healthy(Request) const {
  co_return plain(200, "healthy");
}

asio::awaitable<Response> Site::ready(Request) const {
  co_return is_ready() ? plain(200, "ready") : plain(503, "not ready");
}

asio::awaitable<Response> Site::reload(Request) const {
  if (!options_.lifecycle || !hooks_.reload)
    co_return plain(403, "reloading over HTTP is off; set lifecycle = true under [web], or send SIGHUP");
  const auto outcome = hooks_.reload();
  co_return outcome ? plain(200, "reloaded: " + *outcome) : plain(400, outcome.error().message);
}

asio::awaitable<Response> Site::status(Request) const {
  co_return json(status_json(scraper_->status(), facts()));
}

asio::awaitable<Response> Site::live(Request) const {
  auto with_counters = facts();
  if (hooks_.counters) with_counters.counters = hooks_.counters();
  co_return json(status_json(scraper_->status(), with_counters));
}

AgentFacts Site::facts() const {
  AgentFacts facts;
  facts.uptime = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - hooks_.started);
  facts.is_ready = is_ready();
  facts.view = options_.view;
  facts.has_lifecycle = options_.lifecycle;
  facts.has_probe = options_.probe;
  if (hooks_.reload_state) facts.reload = hooks_.reload_state();
  if (hooks_.push) facts.push = hooks_.push();
  return facts;
}

asio::awaitable<Response> Site::asset(Request request) const {
  const auto* found =
      std::find_if(std::begin(assets), std::end(assets), [&](const Asset& each) { return each.path == request.path; });
  Response response;
  response.content_type = found->content_type;
  response.body = found->bytes;
  response.headers = {{"Content-Security-Policy", std::string(content_security_policy)},
                      {"Referrer-Policy", "no-referrer"},
                      {"Cache-Control", "no-cache"}};
  co_return response;
}

}  // namespace

net::Handler make_handler(scrape::Scraper& scraper, WebOptions options, Hooks hooks) {
  auto site = std::make_shared<const Site>(scraper, std::move(options), std::move(hooks));
  return [site](Request request) { return Site::answer(site, std::move(request)); };
}

const std::vector<std::string_view>& views() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const auto& view : view_table) all.push_back(view.name);
    return all;
  }();
  return names;
}

std::chrono::milliseconds scrape_budget(std::string_view header, std::chrono::milliseconds limit) {
  constexpr double way_back_seconds = 0.5;
  const auto asked = text::parse_number(text::trim(header));
  if (!asked || !std::isfinite(*asked) || *asked <= 0) return limit;
  const double seconds = *asked - std::min(way_back_seconds, *asked / 2);
  const double limit_ms = static_cast<double>(limit.count());
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::clamp(seconds * 1000, 1.0, std::max(1.0, limit_ms))));
}

}  // namespace midst::web
