// Counters of a server that has too many of them: what each key has grown by since the look before, booked once, on the
// key's own accumulator while it is one of the N with a series and on the rest's otherwise. So that nothing is lost,
// counted twice or falls, whoever joins, leaves, is evicted by the server or begins anew. Used by statements and
// tables.
#pragma once

#include "agent/sources/postgres/top/sticky_top.hpp"
#include "lib/base/deadline.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace midst::sources {

/// A counter that the server does not tell; it grows by nothing. Other NaNs are taken for it too.
inline constexpr double absent = std::numeric_limits<double>::quiet_NaN();

/// What it means when counters of a row are lower than at the look before.
enum class Decrease : std::uint8_t {
  row_began_anew,  ///< One that is lower is proof: the whole row counts from zero (evicted, reset).
  /// Only when all that were above zero are lower; otherwise a part of what they sum up is gone (a dropped index), and
  /// the lower ones count on from where they are.
  when_all_lower,
};

/// What a key that is not in an answer means.
enum class Gone : std::uint8_t {
  is_dropped,  ///< It is no more: its series ends.
  may_return,  ///< A member keeps its series for an hour; when it returns it has begun anew.
};

/// What a key's own counters show after the server's began anew.
enum class Totals : std::uint8_t {
  never_fall,     ///< What they had before and what came since.
  follow_server,  ///< The server's counts, as long as the key has kept its series from its first look on.
};

/// Whether an answer has every row; what a cut one lacks may still be there.
enum class Answer : std::uint8_t { whole, cut };

/// How the counts of a look relate to those of the look before.
enum class Continuity : std::uint8_t {
  same,     ///< The same counts, later.
  reset,    ///< All were set to zero in between.
  foreign,  ///< Another server's, or those of a role that sees more or less: nothing is known of what they grew by.
};

struct LedgerOptions {
  std::size_t limit = 0;              ///< Keys with a series of their own; zero: all.
  std::chrono::milliseconds hold{0};  ///< See StickyTop.
  std::vector<double> activity;       ///< How much one of each counter counts as activity; its size: the counters.
  std::size_t lanes = 1;              ///< Rows of one key whose counters begin anew separately.
  std::size_t max_keys = 50'000;      ///< Keys beyond are not followed.
  Decrease decrease = Decrease::row_began_anew;
  Gone gone = Gone::may_return;
  Totals totals = Totals::never_fall;
};

/// One row of an answer.
struct CountedRow {
  std::string_view key;
  std::span<const double> counters;  ///< As the server has them; absent where it has none.
  std::size_t lane = 0;
  double origin = 0;  ///< Since when the row counts, when the server says so; another value: it began anew.
  double size = 0;    ///< Weighs beside activity; zero where there is none.
};

/// Per look: begin(), take() for each row, end(). No clock, no I/O. Memory: 8 bytes a counter and some 180 a key.
class CounterLedger {
 public:
  explicit CounterLedger(LedgerOptions options);

  void begin(Continuity continuity);
  /// @return the key's id until it is gone; nothing where max_keys leaves it out.
  std::optional<std::uint32_t> take(const CountedRow& row);
  /// Takes the sum of the rows that have no key: part of the rest. It grows by what it is more than at the look before.
  void take_nameless(std::span<const double> counters);
  /// Books the look.
  void end(Deadline now, Answer answer);

  /// @return the ids of the keys with a series, in ascending order.
  [[nodiscard]] const std::vector<std::uint32_t>& members() const noexcept { return members_; }
  [[nodiscard]] bool is_member(std::uint32_t id) const noexcept { return top_.is_member(id); }
  /// @return the accumulators of a member.
  [[nodiscard]] std::span<const double> counters_of(std::uint32_t member) const;
  [[nodiscard]] std::span<const double> rest() const noexcept { return rest_; }
  /// @return whether any key ever was without a series, or any row without a key.
  [[nodiscard]] bool has_rest() const noexcept { return has_rest_; }
  [[nodiscard]] std::size_t key_count() const noexcept { return ids_.size(); }
  /// @return rows not followed because of max_keys, since the start.
  [[nodiscard]] std::uint64_t untracked() const noexcept { return untracked_; }

 private:
  static constexpr std::uint32_t no_place = std::numeric_limits<std::uint32_t>::max();

  /// Not noexcept, so that the map keeps the hashes and compares few texts.
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  struct Key {
    const std::string* text = nullptr;
    double activity = 0, fresh = 0, size = 0;  ///< Decayed; of this look; at this look.
    std::uint32_t place = no_place;            ///< Of its accumulators.
    std::uint32_t look = 0;                    ///< The last one it was in, …
    std::uint32_t position = 0;                ///< … and where.
    std::uint8_t lanes = 0, lanes_now = 0;     ///< Which rows were there at the look before, and at this one.
    bool is_new = false;
  };
  struct Place {
    std::vector<double> total, grown;  ///< Booked; grown at this look.
    Deadline seen_at{};
    bool is_in_step = false;  ///< Whether the totals are the server's own counts, and follow them when they fall.
  };
  using Remembered = std::list<std::pair<std::string, std::vector<double>>>;

  [[nodiscard]] std::size_t width() const noexcept { return options_.activity.size(); }
  [[nodiscard]] bool counts_newcomers() const noexcept { return was_whole_ && continuity_ != Continuity::foreign; }
  std::optional<std::uint32_t> id_of(std::string_view key);
  void measure(std::span<const double> before, std::span<const double> now);
  void add_counts_of(std::uint32_t id, std::span<double> to) const;
  void drop_gone(Deadline now);
  [[nodiscard]] std::vector<Candidate> weigh(Deadline now);
  void book_members();
  void join(std::uint32_t id);
  void leave(std::uint32_t id);
  void book_newcomers(Answer answer);
  void remember(std::uint32_t id);
  void free_place(std::uint32_t id);
  void forget(std::uint32_t id);

  LedgerOptions options_;
  StickyTop top_;
  std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> ids_;
  std::vector<Key> keys_;
  std::vector<std::uint32_t> free_keys_, free_places_, members_;
  std::vector<std::uint32_t> order_, order_before_;  ///< Ids of this look and of the one before.
  std::size_t next_ = 0;                             ///< Where in order_before_ the next row is expected.
  std::vector<double> before_;  ///< Per key and lane: origin, then the counters of the look before.
  std::vector<double> grown_;   ///< Scratch of take().
  std::vector<Place> places_;
  std::vector<double> rest_, nameless_before_;
  Remembered remembered_;  ///< Totals of those that left, the latest first.
  std::unordered_map<std::string_view, Remembered::iterator> remembered_at_;
  std::optional<Deadline> ended_at_;
  std::uint32_t look_ = 0;
  std::uint64_t untracked_ = 0;
  Continuity continuity_ = Continuity::same;
  bool was_whole_ = true, left_out_now_ = false, has_rest_ = false, has_overflowed_ = false;
};

}  // namespace midst::sources
