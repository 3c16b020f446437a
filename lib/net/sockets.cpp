#include "lib/net/sockets.hpp"

#include "lib/base/text.hpp"

#include <fmt/core.h>
#include <systemd/sd-daemon.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

namespace midst::net {
namespace {

constexpr int backlog = 4096;  // the kernel cuts it to net.core.somaxconn

Error bad_address(std::string_view text, std::string_view reason) {
  return Error{Errc::config, fmt::format("listen address \"{}\": {}", text, reason)};
}

Error cannot_bind(std::string_view address, std::string_view what, int system_error) {
  return Error{Errc::connect_refused,
               fmt::format("cannot listen on {}: {}: {}", address, what, std::strerror(system_error))};
}

Result<std::uint16_t> parse_port(std::string_view text) {
  const bool has_only_digits = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  const auto number = text::parse_integer(text);
  if (!has_only_digits || !number || *number > 65535)
    return Error{Errc::config, "the port is not a number from 0 to 65535"};
  return static_cast<std::uint16_t>(*number);
}

Result<ListenAddress> parse_unix(std::string_view text, std::string_view path) {
  while (path.starts_with("//")) path.remove_prefix(1);  // unix:///run/x, as URLs have it
  if (!path.starts_with('/') || path.size() < 2) return bad_address(text, "the path after \"unix:\" must be absolute");
  if (path.find('\0') != std::string_view::npos) return bad_address(text, "the path contains a zero byte");
  if (path.size() >= sizeof(sockaddr_un::sun_path))
    return bad_address(text, fmt::format("the path is longer than {} bytes", sizeof(sockaddr_un::sun_path) - 1));
  ListenAddress address;
  address.unix_path = path;
  return address;
}

bool is_ipv6(std::string_view host) {
  const std::string number(host.substr(0, host.find('%')));
  in6_addr ignored{};
  return inet_pton(AF_INET6, number.c_str(), &ignored) == 1;
}

bool is_host_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

Result<std::string> parse_host(std::string_view text, std::string_view host) {
  if (host.starts_with('[')) {
    if (!host.ends_with(']') || !is_ipv6(host.substr(1, host.size() - 2)))
      return bad_address(text, "what stands in brackets is not an IPv6 address");
    return std::string(host.substr(1, host.size() - 2));
  }
  if (host.find(':') != std::string_view::npos)
    return bad_address(text, "write an IPv6 address in brackets, like \"[::1]:9464\"");
  if (host == "*") return std::string();
  if (!std::all_of(host.begin(), host.end(), is_host_character))
    return bad_address(text, "the host has a character that no host name has");
  return std::string(host);
}

/// Fills a sockaddr_un; parse_unix() has checked the length.
sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(static_cast<char*>(address.sun_path), path.c_str(), std::min(path.size(), sizeof address.sun_path - 1));
  return address;
}

/// connect() tells a dead owner from a living one: only the dead one's file answers ECONNREFUSED, whatever the type.
bool is_abandoned(const sockaddr_un& address) {
  const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (probe.get() < 0) return false;
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return false;
  return errno == ECONNREFUSED;
}

/// Makes room for a new socket file: nothing, or what a dead process left. Errors are sentences without the address.
std::string clear_path(const std::string& path, const sockaddr_un& address) {
  struct stat there {};
  if (::lstat(path.c_str(), &there) != 0) return {};
  if (!S_ISSOCK(there.st_mode)) return "there is a file that is not a socket; move it away or set another path";
  if (!is_abandoned(address)) return "another process is using it";
  ::unlink(path.c_str());
  return {};
}

Result<Listener> bind_unix(const std::string& path, const SocketFile& file, int type) {
  const std::string name = "unix:" + path;
  gid_t group = static_cast<gid_t>(-1);
  if (!file.group.empty()) {
    const auto found = find_group(file.group);
    if (!found) return found.error().with_context(name);
    group = *found;
  }
  const auto address = unix_address(path);
  if (const auto reason = clear_path(path, address); !reason.empty())
    return Error{Errc::connect_refused, fmt::format("cannot listen on {}: {}", name, reason)};

  Listener listener;
  listener.descriptor = Descriptor(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int socket = listener.descriptor.get();
  if (socket < 0) return cannot_bind(name, "socket", errno);
  // The file takes its first mode from the socket's inode (net/unix/af_unix.c, unix_bind_bsd), so that it is never
  // wider than asked for, not even between bind and chmod.
  ::fchmod(socket, file.mode);
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return cannot_bind(name, "bind", errno);
  listener.file = SocketPath(path);
  if (group != static_cast<gid_t>(-1) && ::chown(path.c_str(), static_cast<uid_t>(-1), group) != 0)
    return cannot_bind(name, fmt::format("group {}", file.group), errno);
  if (::chmod(path.c_str(), file.mode) != 0) return cannot_bind(name, "mode", errno);
  if (type == SOCK_STREAM && ::listen(socket, backlog) != 0) return cannot_bind(name, "listen", errno);
  listener.address = name;
  return listener;
}

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Result<AddressList> resolve(const ListenAddress& address, int type) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = type;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* first = nullptr;
  const auto port = std::to_string(address.port);
  const int failure = ::getaddrinfo(address.host.c_str(), port.c_str(), &hints, &first);
  if (failure != 0)
    return Error{Errc::dns, fmt::format("cannot listen on {}: {}", format_address(address), ::gai_strerror(failure))};
  return AddressList(first, &::freeaddrinfo);
}

std::string local_address(int socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return "?";
  ListenAddress address;
  std::string text(INET6_ADDRSTRLEN, '\0');
  if (storage.ss_family == AF_UNIX) {
    const auto& local = reinterpret_cast<const sockaddr_un&>(storage);
    const auto length = size > offsetof(sockaddr_un, sun_path) ? size - offsetof(sockaddr_un, sun_path) : 0;
    const std::string path(static_cast<const char*>(local.sun_path), length);
    return "unix:" + path.substr(0, path.find('\0'));
  }
  if (storage.ss_family == AF_INET) {
    const auto& local = reinterpret_cast<const sockaddr_in&>(storage);
    ::inet_ntop(AF_INET, &local.sin_addr, text.data(), static_cast<socklen_t>(text.size()));
    address.port = ntohs(local.sin_port);
  } else {
    const auto& local = reinterpret_cast<const sockaddr_in6&>(storage);
    ::inet_ntop(AF_INET6, &local.sin6_addr, text.data(), static_cast<socklen_t>(text.size()));
    address.port = ntohs(local.sin6_port);
  }
  address.host = text.c_str();
  return format_address(address);
}

Result<Listener> bind_inet(const ListenAddress& address, int family, int type, const sockaddr* where, socklen_t size) {
  const auto name = format_address(address);
  Listener listener;
  listener.descriptor = Descriptor(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int socket = listener.descriptor.get();
  if (socket < 0) return cannot_bind(name, "socket", errno);
  const int on = 1;
  const int off = 0;
  // For datagrams it would let a second process take them away.
  if (type == SOCK_STREAM) ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) ::setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (::bind(socket, where, size) != 0) return cannot_bind(name, "bind", errno);
  if (type == SOCK_STREAM && ::listen(socket, backlog) != 0) return cannot_bind(name, "listen", errno);
  listener.address = local_address(socket);
  return listener;
}

/// ":9464" means every interface: one dual-stack socket, or IPv4 alone where the kernel has no IPv6.
Result<Listener> bind_any(const ListenAddress& address, int type) {
  const Descriptor probe(::socket(AF_INET6, type | SOCK_CLOEXEC, 0));
  if (probe.get() >= 0) {
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(address.port);
    return bind_inet(address, AF_INET6, type, reinterpret_cast<const sockaddr*>(&any), sizeof any);
  }
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(address.port);
  return bind_inet(address, AF_INET, type, reinterpret_cast<const sockaddr*>(&any), sizeof any);
}

/// Reads an integer option of a socket; nothing when the descriptor is none.
std::optional<int> socket_option(int socket, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(socket, SOL_SOCKET, name, &value, &size) != 0) return std::nullopt;
  return value;
}

Result<Listener> open_socket(const ListenAddress& address, const SocketFile& file, int type) {
  if (address.is_unix()) return bind_unix(address.unix_path, file, type);
  if (address.host.empty()) return bind_any(address, type);
  const auto found = resolve(address, type);
  if (!found) return found.error();
  const addrinfo* chosen = found->get();
  for (const auto* entry = chosen; entry != nullptr; entry = entry->ai_next) {
    if (entry->ai_family != AF_INET) continue;
    chosen = entry;
    break;
  }
  return bind_inet(address, chosen->ai_family, type, chosen->ai_addr, chosen->ai_addrlen);
}

Result<Listener> adopt(Descriptor descriptor, int wanted_type) {
  const int number = descriptor.get();
  const auto type = socket_option(number, SO_TYPE);
  if (!type) return Error{Errc::config, fmt::format("descriptor {} is not a socket", number)};
  if (*type != wanted_type)
    return Error{Errc::config, fmt::format("descriptor {} is not a {} socket", number,
                                           wanted_type == SOCK_STREAM ? "stream" : "datagram")};
  if (*type == SOCK_STREAM && socket_option(number, SO_ACCEPTCONN).value_or(0) == 0)
    return Error{Errc::config, fmt::format("descriptor {} is a stream socket that does not listen", number)};
  ::fcntl(number, F_SETFL, ::fcntl(number, F_GETFL) | O_NONBLOCK);
  ::fcntl(number, F_SETFD, FD_CLOEXEC);
  Listener listener;
  listener.address = local_address(number);
  listener.descriptor = std::move(descriptor);
  return listener;
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    if (number_ >= 0) ::close(number_);
    number_ = other.release();
  }
  return *this;
}

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

SocketPath::SocketPath(std::string path) noexcept : path_(std::move(path)) {
  struct stat there {};
  if (path_.empty() || ::lstat(path_.c_str(), &there) != 0) return;
  device_ = there.st_dev;
  inode_ = there.st_ino;
}

SocketPath& SocketPath::operator=(SocketPath&& other) noexcept {
  if (this != &other) {
    remove();
    path_ = std::exchange(other.path_, {});
    device_ = other.device_;
    inode_ = other.inode_;
  }
  return *this;
}

SocketPath::~SocketPath() {
  remove();
}

void SocketPath::remove() noexcept {
  struct stat there {};
  if (path_.empty() || ::lstat(path_.c_str(), &there) != 0) return;
  if (there.st_dev == device_ && there.st_ino == inode_) ::unlink(path_.c_str());
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
  if (text.starts_with("unix:")) return parse_unix(text, text.substr(5));
  if (text.find("://") != std::string_view::npos)
    return bad_address(text, "write it without a scheme, like \"127.0.0.1:9464\"");
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || text.ends_with(']'))
    return bad_address(text, "no port; write it like \"127.0.0.1:9464\", \":9464\" or \"unix:/path\"");
  ListenAddress address;
  auto host = parse_host(text, text.substr(0, colon));
  if (!host) return host.error();
  address.host = std::move(*host);
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return bad_address(text, port.error().message);
  address.port = *port;
  return address;
}

std::string format_address(const ListenAddress& address) {
  if (address.is_unix()) return "unix:" + address.unix_path;
  const bool is_ipv6_number = address.host.find(':') != std::string::npos;
  return is_ipv6_number ? fmt::format("[{}]:{}", address.host, address.port)
                        : fmt::format("{}:{}", address.host, address.port);
}

Result<Listener> open_listener(const ListenAddress& address, const SocketFile& file) {
  return open_socket(address, file, SOCK_STREAM);
}

Result<Listener> open_datagram(const ListenAddress& address, const SocketFile& file) {
  return open_socket(address, file, SOCK_DGRAM);
}

Result<Listener> adopt_listener(Descriptor descriptor) {
  return adopt(std::move(descriptor), SOCK_STREAM);
}

Result<Listener> adopt_datagram(Descriptor descriptor) {
  return adopt(std::move(descriptor), SOCK_DGRAM);
}

Result<PeerCredentials> peer_credentials(int descriptor) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return Error{Errc::unsupported, fmt::format("no peer credentials: {}", std::strerror(errno))};
  // A TCP socket answers too, with nobody in it (unix(7) promises it for connected Unix sockets alone).
  if (peer.pid == 0 && peer.uid == static_cast<uid_t>(-1))
    return Error{Errc::unsupported, "no peer credentials: not a Unix socket"};
  return PeerCredentials{peer.pid, peer.uid, peer.gid};
}

Result<gid_t> find_group(const std::string& group) {
  if (const auto number = text::parse_integer(group); number && *number >= 0) return static_cast<gid_t>(*number);
  std::vector<char> buffer(16 * 1024);
  struct group entry {};
  struct group* found = nullptr;
  if (::getgrnam_r(group.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return Error{Errc::config, fmt::format("no group \"{}\" on this system", group)};
  return entry.gr_gid;
}

ssize_t receive(int socket, std::span<char> buffer, Descriptor& passed) noexcept {
  constexpr std::size_t most_descriptors = 8;
  iovec data{buffer.data(), buffer.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(most_descriptors * sizeof(int))];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t size = -1;
  do {
    size = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return errno == EWOULDBLOCK ? -EAGAIN : -errno;
  for (auto* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const auto count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(header) + i * sizeof number, sizeof number);
      Descriptor owned(number);
      if (passed.get() < 0) passed = std::move(owned);
    }
  }
  return size;
}

Result<uid_t> find_user(const std::string& user) {
  if (const auto number = text::parse_integer(user); number && *number >= 0) return static_cast<uid_t>(*number);
  std::vector<char> buffer(16 * 1024);
  struct passwd entry {};
  struct passwd* found = nullptr;
  if (::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return Error{Errc::config, fmt::format("no user \"{}\" on this system", user)};
  return entry.pw_uid;
}

std::vector<gid_t> groups_of(uid_t user) {
  std::vector<char> buffer(16 * 1024);
  struct passwd entry {};
  struct passwd* found = nullptr;
  if (::getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return {};
  std::vector<gid_t> groups(256);
  int count = static_cast<int>(groups.size());
  if (::getgrouplist(entry.pw_name, entry.pw_gid, groups.data(), &count) < 0) count = static_cast<int>(groups.size());
  groups.resize(static_cast<std::size_t>(count));
  return groups;
}

bool has_ended(pid_t pid) noexcept {
  const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (process.get() < 0) return errno == ESRCH;
  pollfd ended{process.get(), POLLIN, 0};
  return ::poll(&ended, 1, 0) > 0;
}

bool keep_with_systemd(const Descriptor& descriptor, std::string_view name) {
  const int number = descriptor.get();
  return ::sd_pid_notify_with_fds(0, 0, fmt::format("FDSTORE=1\nFDNAME={}", name).c_str(), &number, 1) > 0;
}

Result<std::vector<NamedDescriptor>> systemd_descriptors() {
  char** names = nullptr;
  const int count = ::sd_listen_fds_with_names(1, &names);
  if (count < 0) return Error{Errc::internal, fmt::format("descriptors from systemd: {}", std::strerror(-count))};
  std::vector<NamedDescriptor> passed;
  for (int i = 0; i < count; ++i) {
    NamedDescriptor entry;
    entry.name = names != nullptr && names[i] != nullptr ? names[i] : "unknown";
    entry.descriptor = Descriptor(SD_LISTEN_FDS_START + i);
    passed.push_back(std::move(entry));
    if (names != nullptr) std::free(names[i]);
  }
  std::free(static_cast<void*>(names));
  return passed;
}

}  // namespace midst::net
