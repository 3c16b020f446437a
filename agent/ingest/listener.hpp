// The socket of the native push protocol: accepts, reads, writes, and ends connections. What the bytes mean is the
// session's; what they count is the Store's.
#pragma once

#include "agent/ingest/store.hpp"
#include "lib/base/deadline.hpp"
#include "lib/net/sockets.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace midst::ingest {

/// Who may push, by the credentials that the kernel tells of the other end.
class AllowList {
 public:
  AllowList() = default;
  /// @param users, groups  names or numbers; both empty: everybody.
  /// @return Errc::config naming the setting and the name that does not exist.
  [[nodiscard]] static Result<AllowList> resolve(const std::vector<std::string>& users,
                                                 const std::vector<std::string>& groups);
  /// @return whether the peer's user is listed, or a group that it or its user belongs to.
  [[nodiscard]] bool allows(const Peer& peer) const;

 private:
  bool is_empty_ = true;
  std::vector<uid_t> users_;
  std::vector<gid_t> groups_;
};

struct ListenerOptions {
  std::size_t max_clients = 1024;                 ///< Connected at once; one more gets ERR and is closed.
  std::size_t max_frame = 64 * 1024;              ///< Payload bytes, 16 KiB … 1 MiB.
  std::chrono::milliseconds hello_timeout{5000};  ///< From accept to HELLO.
  std::chrono::milliseconds write_timeout{5000};  ///< For the replies of one read; a client that reads none is dropped.
  mode_t socket_mode = 0660;
  AllowList allowed;
  std::string socket_group;  ///< Group owner of the socket file; empty: the process's own.
};

/// Construct, listen() as often as needed, then drain() once. Loop thread only.
class Listener {
 public:
  /// @param store  must outlive the listener.
  Listener(asio::any_io_executor executor, Store& store, ListenerOptions options);
  /// Closes what drain() has not.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// Accepts on a socket file made at `path`; one that a dead process left is replaced.
  /// @return the path, or why not (net::open_listener()).
  Result<std::string> listen(std::string path);
  /// Accepts on a socket that is bound already. @return its address.
  Result<std::string> listen(net::Listener bound);

  /// Stops accepting, takes in what clients have sent already, and closes every connection; by `deadline` at the
  /// latest.
  asio::awaitable<void> drain(Deadline deadline);

  /// Who may connect from now on; those that are connected stay.
  void set_allowed(AllowList allowed);

  [[nodiscard]] std::size_t client_count() const noexcept;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace midst::ingest
