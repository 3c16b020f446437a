// One connection's conversation, as a step machine without sockets: bytes in, replies out. The listener moves the
// bytes.
#pragma once

#include "agent/ingest/store.hpp"
#include "lib/net/sockets.hpp"
#include "lib/push/wire.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace midst::ingest {

class Session {
 public:
  /// @param max_frame  payload bytes; told to the client and held it to.
  Session(Store& store, Peer peer, std::size_t max_frame);
  /// Detaches the instance, if the session has one.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Takes what was read, works off every whole frame, keeps the rest, and appends the replies to `replies`.
  /// @return why the connection must end (after its replies are sent), or nothing.
  [[nodiscard]] std::optional<Disconnect> feed(std::string_view bytes, SteadyTime now, std::string& replies);

  /// Takes a descriptor that came along with what is fed next; only one before HELLO is looked at.
  void take_memory(net::Descriptor memory) noexcept { memory_ = std::move(memory); }

  /// @return whether HELLO has come.
  [[nodiscard]] bool is_greeted() const noexcept { return key_ != 0; }
  /// The connection ended at `now`; the instance may come back.
  void end(SteadyTime now);

 private:
  std::optional<Disconnect> handle(wire::FrameHeader header, std::string_view payload, SteadyTime now,
                                   std::string& replies);
  std::optional<Disconnect> handle_hello(std::string_view payload, SteadyTime now, std::string& replies);
  std::optional<Disconnect> handle_family(std::string_view payload, std::string& replies);
  std::optional<Disconnect> handle_series(std::string_view payload, std::string& replies);
  std::optional<Disconnect> handle_snap(std::string_view payload, std::string& replies);
  static Disconnect refuse(wire::ErrorCode code, std::string_view text, std::string& replies);

  Store& store_;
  const Peer peer_;
  const std::size_t max_frame_;
  net::Descriptor memory_;  ///< Until HELLO says what it is.
  std::string partial_;     ///< The beginning of a frame whose end was not read yet.
  std::uint64_t key_ = 0;   ///< Of the Store; 0 before HELLO.
  SteadyTime last_seen_{}, last_snapshot_{};
  std::vector<wire::RejectedSeries> rejected_;  ///< To be told with the next ACK.
};

}  // namespace midst::ingest
