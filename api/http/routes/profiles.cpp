#include "api/http/routes/profiles.hpp"

#include "api/cache/policy.hpp"
#include "api/http/identifiers.hpp"
#include "api/http/replies.hpp"
#include "api/http/validation.hpp"
#include "lib/base/text.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <array>
#include <utility>

namespace midst::api {
namespace {

constexpr std::string_view collection_path = "/v1/profiles";
constexpr std::uint64_t default_limit = 20, max_limit = 100;
constexpr std::uint64_t max_offset = 2'147'483'647;

constexpr auto required = Presence::required;
constexpr auto optional = Presence::optional;
constexpr std::size_t max_url = 2048, max_markdown = 20'000, max_elements = 500;

constexpr std::array<std::string_view, 6> external_systems{"linkedin", "linkdin", "github",
                                                           "orcid",    "twitter", "custom"};
constexpr std::array<std::string_view, 3> visibilities{"public", "unlisted", "private"};

constexpr std::array<FieldRule, 3> external_id_rules{{
    {"system", FieldKind::choice, required, 0, 0, external_systems, {}},
    {"value", FieldKind::text, required, 1, 500, {}, {}},
    {"label", FieldKind::text, optional, 1, 200, {}, {}},
}};

constexpr std::array<FieldRule, 3> agent_access_rules{{
    {"enabled", FieldKind::flag, optional, 0, 0, {}, {}},
    {"defaultMaskId", FieldKind::text, optional, 1, 200, {}, {}},
    {"allowedScopes", FieldKind::texts, optional, 0, 50, {}, {}},
}};

constexpr std::array<FieldRule, 3> settings_rules{{
    {"visibility", FieldKind::choice, optional, 0, 0, visibilities, {}},
    {"sectionOrder", FieldKind::texts, optional, 0, 50, {}, {}},
    {"agentAccess", FieldKind::object, optional, 0, 0, {}, agent_access_rules},
}};

constexpr std::array<FieldRule, 22> profile_rules{{
    {"id", FieldKind::uuid, optional, 0, 0, {}, {}},
    {"identityId", FieldKind::uuid, optional, 0, 0, {}, {}},
    {"slug", FieldKind::slug, required, 1, 100, {}, {}},
    {"displayName", FieldKind::text, required, 1, 200, {}, {}},
    {"did", FieldKind::text, optional, 1, 500, {}, {}},
    {"title", FieldKind::text, optional, 0, 200, {}, {}},
    {"headline", FieldKind::text, optional, 0, 500, {}, {}},
    {"summaryMarkdown", FieldKind::text, optional, 0, max_markdown, {}, {}},
    {"avatarUrl", FieldKind::url, optional, 1, max_url, {}, {}},
    {"coverImageUrl", FieldKind::url, optional, 1, max_url, {}, {}},
    {"locationText", FieldKind::text, optional, 0, 200, {}, {}},
    {"email", FieldKind::email, optional, 3, 254, {}, {}},  // RFC 5321, 4.5.3.1.3: 256 with the angle brackets.
    {"phone", FieldKind::text, optional, 0, 50, {}, {}},
    {"website", FieldKind::url, optional, 1, max_url, {}, {}},
    {"externalIds", FieldKind::objects, optional, 0, 50, {}, external_id_rules},
    {"skills", FieldKind::values, optional, 0, max_elements, {}, {}},
    {"experiences", FieldKind::values, optional, 0, max_elements, {}, {}},
    {"education", FieldKind::values, optional, 0, max_elements, {}, {}},
    {"languages", FieldKind::values, optional, 0, max_elements, {}, {}},
    {"interests", FieldKind::values, optional, 0, max_elements, {}, {}},
    {"settings", FieldKind::object, optional, 0, 0, {}, settings_rules},
    {"isActive", FieldKind::flag, optional, 0, 0, {}, {}},
}};

enum class CacheOutcome { hit, miss };

net::Response cached_reply(std::string body, CacheOutcome outcome) {
  auto response = json_reply(200, std::move(body));
  response.headers.emplace_back("X-Cache", outcome == CacheOutcome::hit ? "HIT" : "MISS");
  return response;
}

std::string one_body(const std::string& document) {
  return fmt::format(R"({{"ok":true,"data":{}}})", document);
}

std::string page_body(const Page& page, const ProfilePage& found) {
  return fmt::format(R"({{"ok":true,"offset":{},"limit":{},"data":[{}],"total":{}}})", page.offset, page.limit,
                     fmt::join(found.documents, ","), found.total);
}

bool is_json(std::string_view content_type) noexcept {
  const auto type = text::trim(text::take_until(content_type, ';'));
  return type.empty() || text::equal_ignoring_case(type, "application/json");
}

/// @return a checked profile with its defaults; on failure `errors` says why.
NewProfile read_profile(const nlohmann::json& body, FieldErrors& errors) {
  auto document = check_object(body, profile_rules, errors);
  if (!errors.empty()) return {};
  if (!document.contains("identityId")) document["identityId"] = make_uuid();
  if (!document.contains("isActive")) document["isActive"] = true;
  NewProfile profile;
  profile.id = document.contains("id") ? document["id"].get<std::string>() : make_uuid();
  document.erase("id");
  profile.data = document.dump();
  return profile;
}

}  // namespace

void ProfileRoutes::add_to(Router& router) {
  const std::string collection(collection_path);
  router.add({"GET", collection, [this](Call call) { return list(std::move(call)); }});
  router.add({"POST", collection, [this](Call call) { return create(std::move(call)); }});
  router.add({"GET", collection + "/:id", [this](Call call) { return get(std::move(call)); }});
}

asio::awaitable<Result<net::Response>> ProfileRoutes::list(Call call) {
  FieldErrors errors;
  Page page;
  page.offset = integer_parameter(call.request, "offset", 0, 0, max_offset, errors);
  page.limit = integer_parameter(call.request, "limit", default_limit, 1, max_limit, errors);
  if (!errors.empty()) co_return validation_reply(errors);

  const auto key = policy::profile_page_key(page.offset, page.limit);
  auto cached = co_await cache_.get(key);
  if (cached) co_return cached_reply(std::move(*cached), CacheOutcome::hit);
  const auto writes_before = write_count_;
  const auto found = co_await profiles_.list(page, call.deadline);
  if (!found) co_return found.error();
  auto body = page_body(page, *found);
  if (writes_before == write_count_) cache_.put(key, body, policy::profile_page_ttl);
  co_return cached_reply(std::move(body), CacheOutcome::miss);
}

asio::awaitable<Result<net::Response>> ProfileRoutes::get(Call call) {
  const auto id = parse_uuid(call.arguments.at(0));
  if (!id) {
    FieldErrors errors{{"id", "must be a UUID"}};
    co_return validation_reply(errors);
  }
  const auto key = policy::profile_key(*id);
  auto cached = co_await cache_.get(key);
  if (cached) co_return cached_reply(std::move(*cached), CacheOutcome::hit);
  const auto writes_before = write_count_;
  const auto document = co_await profiles_.get(*id, call.deadline);
  if (!document) co_return document.error();
  auto body = one_body(*document);
  if (writes_before == write_count_) cache_.put(key, body, policy::profile_ttl);
  co_return cached_reply(std::move(body), CacheOutcome::miss);
}

asio::awaitable<Result<net::Response>> ProfileRoutes::create(Call call) {
  if (!is_json(call.request.header("Content-Type")))
    co_return error_reply(415, "unsupported_media_type", "send the profile as application/json");
  const auto body = parse_json(call.request.body);
  if (!body) co_return error_reply(400, "malformed_json", body.error().message);
  FieldErrors errors;
  auto profile = read_profile(*body, errors);
  if (!errors.empty()) co_return validation_reply(errors);

  const auto id = profile.id;
  const auto document = co_await profiles_.create(std::move(profile), call.deadline);
  if (!document) co_return document.error();
  ++write_count_;
  auto stale = policy::profile_written(id);
  co_await cache_.invalidate(std::move(stale));
  auto response = json_reply(201, one_body(*document));
  response.headers.emplace_back("Location", fmt::format("{}/{}", collection_path, id));
  co_return response;
}

}  // namespace midst::api
