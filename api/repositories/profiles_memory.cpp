#include "api/repositories/profiles.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <ctime>
#include <map>
#include <utility>

namespace midst::api {
namespace {

/// @return "2025-01-31T12:00:00.000Z".
std::string iso_time(std::chrono::system_clock::time_point time) {
  const auto since_epoch = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch());
  const auto whole = std::chrono::floor<std::chrono::seconds>(since_epoch);
  const std::time_t seconds = whole.count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, (since_epoch - whole).count());
}

class MemoryProfiles final : public Profiles {
 public:
  MemoryProfiles(WallClock clock, std::size_t max_profiles) : clock_(std::move(clock)), max_profiles_(max_profiles) {}

  asio::awaitable<Result<ProfilePage>> list(Page page, Deadline) override {
    ProfilePage found;
    found.total = newest_last_.size();
    for (auto at = page.offset; at < found.total && found.documents.size() < page.limit; ++at)
      found.documents.push_back(documents_.at(newest_last_[found.total - 1 - at]));
    co_return found;
  }

  asio::awaitable<Result<std::string>> get(std::string id, Deadline) override {
    const auto found = documents_.find(id);
    if (found == documents_.end()) co_return Error{Errc::not_found, "there is no profile with this id"};
    co_return found->second;
  }

  asio::awaitable<Result<std::string>> create(NewProfile profile, Deadline) override {
    if (documents_.contains(profile.id)) co_return Error{Errc::conflict, "a profile with this id exists already"};
    if (documents_.size() >= max_profiles_)
      co_return Error{Errc::limit, "the in-memory store is full; set DATABASE_URL"};
    auto document = nlohmann::json::parse(profile.data, nullptr, false);
    if (!document.is_object()) co_return Error{Errc::internal, "the profile is no JSON object"};
    const auto now = iso_time(clock_());
    document["id"] = profile.id;
    document["createdAt"] = now;
    document["updatedAt"] = now;
    newest_last_.push_back(profile.id);
    co_return documents_.emplace(std::move(profile.id), document.dump()).first->second;
  }

 private:
  WallClock clock_;
  std::size_t max_profiles_;
  std::map<std::string, std::string> documents_;
  std::vector<std::string> newest_last_;
};

}  // namespace

std::unique_ptr<Profiles> make_memory_profiles(WallClock clock, std::size_t max_profiles) {
  return std::make_unique<MemoryProfiles>(std::move(clock), max_profiles);
}

}  // namespace midst::api
