#include "api/repositories/profiles.hpp"
#include "lib/base/text.hpp"

#include <fmt/core.h>

#include <utility>

namespace midst::api {
namespace {

constexpr std::string_view table = "profiles";

// The stored object with the columns' id and times; UTC with milliseconds, as JavaScript writes a Date.
constexpr std::string_view document =
    "(data || jsonb_build_object('id', id,"
    " 'createdAt', to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'),"
    " 'updatedAt', to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')))::text";

// Page and total from one snapshot and in one round trip; the total is there even when the page is empty.
const std::string list_sql = fmt::format(
    "SELECT counted.total, page.document"
    " FROM (SELECT count(*) AS total FROM profiles) AS counted"
    " LEFT JOIN LATERAL (SELECT {} AS document, created_at, id FROM profiles"
    " ORDER BY created_at DESC, id LIMIT $2::bigint OFFSET $1::bigint) AS page ON true"
    " ORDER BY page.created_at DESC, page.id",
    document);
const std::string get_sql = fmt::format("SELECT {} FROM profiles WHERE id = $1::uuid", document);
const std::string create_sql = fmt::format(
    "INSERT INTO profiles (id, data, created_at, updated_at) VALUES ($1::uuid, $2::jsonb, now(), now())"
    " ON CONFLICT (id) DO NOTHING RETURNING {}",
    document);

const Query list_query{"select", table, "profiles_list", list_sql};
const Query get_query{"select", table, "profiles_get", get_sql};
const Query create_query{"insert", table, "profiles_create", create_sql};

class PostgresProfiles final : public Profiles {
 public:
  explicit PostgresProfiles(Database& database) : database_(database) {}

  asio::awaitable<Result<ProfilePage>> list(Page page, Deadline deadline) override {
    std::vector<std::optional<std::string>> parameters{std::to_string(page.offset), std::to_string(page.limit)};
    const auto rows = co_await database_.run(list_query, std::move(parameters), deadline);
    if (!rows) co_return rows.error().with_context("list profiles");
    if (rows->row_count() == 0) co_return Error{Errc::protocol, "list profiles: the total is missing"};
    const auto total = text::parse_integer(rows->text(0, 0));
    if (!total) co_return total.error().with_context("list profiles");
    ProfilePage found;
    found.total = static_cast<std::uint64_t>(*total);
    for (std::size_t row = 0; row < rows->row_count(); ++row)
      if (!rows->is_null(row, 1)) found.documents.emplace_back(rows->text(row, 1));
    co_return found;
  }

  asio::awaitable<Result<std::string>> get(std::string id, Deadline deadline) override {
    std::vector<std::optional<std::string>> parameters{std::move(id)};
    const auto rows = co_await database_.run(get_query, std::move(parameters), deadline);
    if (!rows) co_return rows.error().with_context("get profile");
    if (rows->row_count() == 0) co_return Error{Errc::not_found, "there is no profile with this id"};
    co_return std::string(rows->text(0, 0));
  }

  asio::awaitable<Result<std::string>> create(NewProfile profile, Deadline deadline) override {
    std::vector<std::optional<std::string>> parameters{std::move(profile.id), std::move(profile.data)};
    const auto rows = co_await database_.run(create_query, std::move(parameters), deadline);
    if (!rows) co_return rows.error().with_context("create profile");
    if (rows->row_count() == 0) co_return Error{Errc::conflict, "a profile with this id exists already"};
    co_return std::string(rows->text(0, 0));
  }

 private:
  Database& database_;
};

}  // namespace

std::unique_ptr<Profiles> make_postgres_profiles(Database& database) {
  return std::make_unique<PostgresProfiles>(database);
}

}  // namespace midst::api
