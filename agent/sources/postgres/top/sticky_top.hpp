// Who has a series of its own: at most N of many, the heaviest, and for long enough that the page does not flicker.
// Used by the ledgers of statements, tables and waits; knows ids and weights alone. Pure.
#pragma once

#include "lib/base/deadline.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace midst::sources {

/// One that may be a member; ids are small numbers, at most one candidate each.
struct Candidate {
  std::uint32_t id;
  double weight;  ///< Not negative.
};

/// What an update has changed.
struct Membership {
  std::vector<std::uint32_t> joined;      ///< Where there was room.
  std::vector<std::uint32_t> displaced;   ///< Left for those of `displacing`, …
  std::vector<std::uint32_t> displacing;  ///< … of the same length.
};

class StickyTop {
 public:
  /// @param limit  members at most; zero: no limit.  @param hold  how long a member stays at least.
  StickyTop(std::size_t limit, std::chrono::milliseconds hold) : limit_(limit), hold_(hold) {}

  /// Fills the places that are free with the heaviest candidates; where there is none, a newcomer takes the place of a
  /// member whose hold is over and who weighs less than 4/5 of it. Equal weights change nothing; of equal newcomers
  /// the one with the smaller id comes first.
  /// @param candidates  whoever is there, members included; a member that is not among them weighs nothing.
  Membership update(std::span<const Candidate> candidates, Deadline now);

  /// Frees a member's place.
  void remove(std::uint32_t id) noexcept;

  [[nodiscard]] bool is_member(std::uint32_t id) const noexcept { return id < since_.size() && since_[id].is_member; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// @return whether no newcomer could join without displacing.
  [[nodiscard]] bool is_full() const noexcept { return limit_ != 0 && size_ >= limit_; }

 private:
  struct Since {
    Deadline at{};
    bool is_member = false;
  };

  void join(std::uint32_t id, Deadline now);

  std::size_t limit_;
  std::chrono::milliseconds hold_;
  std::vector<Since> since_;  ///< By id.
  std::size_t size_ = 0;
};

}  // namespace midst::sources
