// Sockets before anybody talks over them: listen addresses, listeners on TCP and Unix paths, who is at the other end,
// and descriptors that systemd opened for us. Blocking calls, made at start and on reload; no Asio.
#pragma once

#include "lib/base/error.hpp"

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::net {

/// A file descriptor with one owner, closed with it.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();

  /// @return the number, or -1 when empty.
  [[nodiscard]] int get() const noexcept { return number_; }
  /// Gives the number away; the caller closes it.
  [[nodiscard]] int release() noexcept { return std::exchange(number_, -1); }

 private:
  int number_ = -1;
};

/// The socket file of a listener. Removed with it, unless another process has put its own file there since.
class SocketPath {
 public:
  SocketPath() = default;
  /// Remembers which file is at `path` now; empty: none to remove.
  explicit SocketPath(std::string path) noexcept;
  SocketPath(SocketPath&& other) noexcept
      : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}
  SocketPath& operator=(SocketPath&& other) noexcept;
  SocketPath(const SocketPath&) = delete;
  SocketPath& operator=(const SocketPath&) = delete;
  ~SocketPath();

  [[nodiscard]] const std::string& text() const noexcept { return path_; }
  /// Leaves the file where it is.
  void release() noexcept { path_.clear(); }

 private:
  void remove() noexcept;

  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

/// Reads what is there without waiting, and a descriptor that came along; of several the first.
/// @return bytes read, 0 at the end, or a negative errno (-EAGAIN: nothing is there).
[[nodiscard]] ssize_t receive(int socket, std::span<char> buffer, Descriptor& passed) noexcept;

/// @return the number of a user or group, given by name or number; Errc::config when there is none of that name.
[[nodiscard]] Result<uid_t> find_user(const std::string& user);
[[nodiscard]] Result<gid_t> find_group(const std::string& group);
/// @return the groups of a user, 256 at most; none when the system does not know the user. May ask the network.
[[nodiscard]] std::vector<gid_t> groups_of(uid_t user);

/// @return whether a process of this pid namespace has ended, or was never there.
[[nodiscard]] bool has_ended(pid_t pid) noexcept;

/// Where to listen: a TCP host and port, or the absolute path of a Unix socket.
struct ListenAddress {
  std::string host;        ///< Name or number without brackets; empty: every interface, IPv6 and IPv4.
  std::uint16_t port = 0;  ///< 0: any free port.
  std::string unix_path;   ///< Absolute, at most 107 bytes (sockaddr_un); empty for TCP.

  [[nodiscard]] bool is_unix() const noexcept { return !unix_path.empty(); }
};

/// @return "127.0.0.1:9464", "[::1]:9464", ":9464", "localhost:0" or "unix:/path" taken apart; Errc::config with what
/// is wrong and how to write it otherwise. Pure.
[[nodiscard]] Result<ListenAddress> parse_listen_address(std::string_view text);

/// @return the text that parse_listen_address() takes back.
[[nodiscard]] std::string format_address(const ListenAddress& address);

/// Rights of a socket file.
struct SocketFile {
  mode_t mode = 0660;  ///< Set exactly, whatever the umask; never wider in between.
  std::string group;   ///< Group owner by name or number; empty: the process's own.
};

/// A bound socket: non-blocking, close-on-exec. Members in the order in which they must go: socket file last.
struct Listener {
  SocketPath file;  ///< Empty for TCP.
  Descriptor descriptor;
  std::string address;  ///< As bound: with the port that 0 became.
};

/// Binds and listens (SO_REUSEADDR, backlog 4096). A name with several addresses: the first IPv4 one, else the first.
/// A socket file that a dead process left is replaced; a path that is no socket, or where somebody still answers, is
/// refused and left alone.
/// @return the listener; Errc::dns for an unknown name, Errc::config for an unknown group, Errc::connect_refused with
/// the address and the system's reason otherwise.
[[nodiscard]] Result<Listener> open_listener(const ListenAddress& address, const SocketFile& file);

/// Binds a SOCK_DGRAM Unix socket, with the same care for the file, or a UDP one. @return as open_listener().
[[nodiscard]] Result<Listener> open_datagram(const ListenAddress& address, const SocketFile& file);

/// Takes over a descriptor that listens already, or a bound datagram socket (systemd): makes it non-blocking and
/// close-on-exec. @return it with its local address and no file to remove; Errc::config when it is of another sort.
[[nodiscard]] Result<Listener> adopt_listener(Descriptor descriptor);
[[nodiscard]] Result<Listener> adopt_datagram(Descriptor descriptor);

/// Who connected over a Unix socket, as the kernel saw it at connect (SO_PEERCRED, unix(7)).
struct PeerCredentials {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

/// @return the peer's credentials; Errc::unsupported when the socket is no connected Unix socket.
[[nodiscard]] Result<PeerCredentials> peer_credentials(int descriptor);

/// One descriptor that systemd passed, with its FileDescriptorName= ("unknown" when it has none).
struct NamedDescriptor {
  std::string name;
  Descriptor descriptor;
};

/// Hands a copy to systemd, which passes it to the next process of this service under that name (FDSTORE=1,
/// sd_notify(3)); needs FileDescriptorStoreMax= in the unit. @return whether systemd was told.
bool keep_with_systemd(const Descriptor& descriptor, std::string_view name);

/// @return what systemd passed to this process (sd_listen_fds(3)), in its order; empty without socket activation.
/// Takes the variables out of the environment, so the second call returns nothing. Errc::internal when they are broken.
[[nodiscard]] Result<std::vector<NamedDescriptor>> systemd_descriptors();

}  // namespace midst::net
