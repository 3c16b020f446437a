// The Space-Saving sketch (Metwally et al., 2005) over (database, pattern): the most frequent ones of a stream in a
// fixed number of places. Pure; PrefixTable uses it for the patterns that have no row of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace midst::sources::redis_info {

/// A pattern of keys in one database.
struct PrefixId {
  int database = 0;
  std::string pattern;
};

/// The same without owning its text; what lookups take.
struct PrefixView {
  int database = 0;
  std::string_view pattern;
};

/// Hash and equality for both, so that a lookup makes no string.
struct PrefixHash {
  using is_transparent = void;
  std::size_t operator()(const PrefixView& id) const noexcept {
    return std::hash<std::string_view>()(id.pattern) ^ (static_cast<std::size_t>(id.database) * 0x9e3779b97f4a7c15U);
  }
  std::size_t operator()(const PrefixId& id) const noexcept { return (*this)(PrefixView{id.database, id.pattern}); }
};
struct PrefixEqual {
  using is_transparent = void;
  template <class Left, class Right>
  bool operator()(const Left& left, const Right& right) const noexcept {
    return left.database == right.database && std::string_view(left.pattern) == std::string_view(right.pattern);
  }
};

/// Counts at most `capacity` ids at a time; a new one takes the place of the rarest and inherits its count as error.
class SpaceSaving {
 public:
  explicit SpaceSaving(std::size_t capacity);

  void add(PrefixView id);

  /// An id and how often it was added at the least.
  struct Found {
    PrefixId id;
    std::uint64_t guaranteed = 0;
  };
  /// @return all that are held, the most frequent first; of equal ones the first by database and pattern.
  [[nodiscard]] std::vector<Found> ranked() const;

  /// Forgets every pattern that folded_pattern() would rename.
  void forget_below(std::string_view prefix, std::string_view separators);

  [[nodiscard]] std::size_t size() const noexcept { return index_.size(); }
  void clear();

 private:
  std::size_t capacity_;
  std::unordered_map<PrefixId, std::size_t, PrefixHash, PrefixEqual> index_;
  std::vector<std::uint64_t> counts_, errors_;  ///< By place; apart, so that the rarest is found fast.
  std::vector<const PrefixId*> ids_;            ///< Keys of index_, whose nodes do not move.
};

}  // namespace midst::sources::redis_info
