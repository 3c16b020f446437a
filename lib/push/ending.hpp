// The end of the process by a signal: the handler, which may do next to nothing, asks the flush threads to send their
// last totals and gives them a moment. Used by parts and flusher.
#pragma once

namespace midst::push::detail {

/// At most so many clients are asked.
inline constexpr int max_asked = 16;

/// @param wake_descriptor  eventfd(2) of a flush thread. @return its place, or -1 when all are taken.
[[nodiscard]] int ask_at_end(int wake_descriptor) noexcept;
/// The thread has ended; its descriptor is about to be closed. @param place  of ask_at_end(), or -1.
void ask_no_more(int place) noexcept;
/// In the child of a fork: no thread is asked.
void ask_nobody() noexcept;

/// @return whether a signal is ending the process: time for the last snapshot.
[[nodiscard]] bool is_ending() noexcept;
/// What a flush thread says when it has done that.
void has_delivered() noexcept;

}  // namespace midst::push::detail
