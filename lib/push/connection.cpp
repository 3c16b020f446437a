#include "lib/push/connection.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace midst::push::detail {

Connection::Connection(std::string path) : path_(std::move(path)) {
}

Connection::~Connection() {
  close();
}

bool Connection::open() noexcept {
  close();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) return false;
  std::memcpy(static_cast<char*>(address.sun_path), path_.data(), path_.size());
  const int made = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (made < 0) return false;
  struct stat there {};
  if (::connect(made, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::fstat(made, &there) != 0) {
    ::close(made);
    return false;
  }
  device_ = there.st_dev;
  inode_ = there.st_ino;
  descriptor_ = made;
  return true;
}

void Connection::close() noexcept {
  if (is_open() && is_still_ours()) ::close(descriptor_);
  descriptor_ = -1;
  out_.clear();
  in_.clear();
  sent_ = taken_ = 0;
  passed_ = -1;
}

/// A program that closes all descriptors (to become a daemon) may have got this number again for something of its own;
/// metrics must not end up in there.
bool Connection::is_still_ours() const noexcept {
  struct stat there {};
  return ::fstat(descriptor_, &there) == 0 && there.st_dev == device_ && there.st_ino == inode_;
}

bool Connection::write() noexcept {
  if (!has_unsent()) return true;
  if (!is_still_ours()) return false;
  while (has_unsent()) {
    const auto size = send(std::string_view(out_).substr(sent_));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    sent_ += static_cast<std::size_t>(size);
    bytes_sent_ += static_cast<std::uint64_t>(size);
  }
  out_.clear();
  sent_ = 0;
  return true;
}

ssize_t Connection::send(std::string_view bytes) noexcept {
  constexpr int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
  if (passed_ < 0) return ::send(descriptor_, bytes.data(), bytes.size(), flags);
  iovec data{const_cast<char*>(bytes.data()), bytes.size()};  // sendmsg() does not write to it
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof passed_)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  auto* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof passed_);
  std::memcpy(CMSG_DATA(header), &passed_, sizeof passed_);
  const auto size = ::sendmsg(descriptor_, &message, flags);
  if (size > 0) passed_ = -1;
  return size;
}

bool Connection::read() {
  if (!is_still_ours()) return false;
  in_.erase(0, std::exchange(taken_, 0));
  char bytes[16 * 1024];
  for (;;) {
    const auto size = ::recv(descriptor_, bytes, sizeof bytes, MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    if (size == 0) return false;
    in_.append(bytes, static_cast<std::size_t>(size));
    // An agent's frame fits this; what is more waits in the socket until these are taken.
    if (in_.size() >= wire::default_max_frame + wire::header_bytes) return true;
  }
}

Connection::Incoming Connection::next(wire::FrameHeader& header, std::string_view& payload) noexcept {
  const std::string_view rest(in_.data() + taken_, in_.size() - taken_);
  if (rest.size() < wire::header_bytes) return Incoming::none;
  header = wire::decode_header(rest.data());
  if (header.length > wire::default_max_frame) return Incoming::broken;
  if (rest.size() < wire::header_bytes + header.length) return Incoming::none;
  payload = rest.substr(wire::header_bytes, header.length);
  taken_ += wire::header_bytes + header.length;
  return Incoming::frame;
}

}  // namespace midst::push::detail
