// Profiles as the routes see them: JSON documents by id, in pages. Two stores: Postgres, and memory without one.
#pragma once

#include "api/repositories/database.hpp"
#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace midst::api {

/// What a client wants stored; checked already.
struct NewProfile {
  std::string id;    ///< UUID in lower case.
  std::string data;  ///< A JSON object without id and times.
};

/// Part of a list.
struct Page {
  std::uint64_t offset = 0, limit = 20;
};

/// A part of all profiles, newest first.
struct ProfilePage {
  std::vector<std::string> documents;  ///< JSON objects with id, createdAt and updatedAt.
  std::uint64_t total = 0;             ///< Of all profiles, at the same moment.
};

class Profiles {
 public:
  Profiles() = default;
  Profiles(const Profiles&) = delete;
  Profiles& operator=(const Profiles&) = delete;
  virtual ~Profiles() = default;

  /// @return the page; an offset beyond the end gives no documents. Transport errors as from Database::run().
  [[nodiscard]] virtual asio::awaitable<Result<ProfilePage>> list(Page page, Deadline deadline) = 0;
  /// @param id  UUID in lower case. @return the document, or Errc::not_found.
  [[nodiscard]] virtual asio::awaitable<Result<std::string>> get(std::string id, Deadline deadline) = 0;
  /// @return the stored document; Errc::conflict when the id is taken; Errc::limit when memory is full.
  [[nodiscard]] virtual asio::awaitable<Result<std::string>> create(NewProfile profile, Deadline deadline) = 0;
};

/// @param database  must outlive the repository.
[[nodiscard]] std::unique_ptr<Profiles> make_postgres_profiles(Database& database);

/// @return now, as the clients see it.
using WallClock = std::function<std::chrono::system_clock::time_point()>;

/// @param max_profiles  one more is refused with Errc::limit.
[[nodiscard]] std::unique_ptr<Profiles> make_memory_profiles(WallClock clock, std::size_t max_profiles);

}  // namespace midst::api
