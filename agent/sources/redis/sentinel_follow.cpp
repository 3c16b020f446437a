#include "agent/sources/redis/sentinel_follow.hpp"

#include "lib/base/text.hpp"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>

namespace midst::sources::redis_info {
namespace {

constexpr std::string_view default_port = ":26379";

/// @return the reply to SENTINEL GET-MASTER-ADDR-BY-NAME: [host, port], or nil where the name is not known.
Result<MasterAddress> read_address(const redis::Reply& reply) {
  if (reply.is_error()) return reply.to_error();
  if (reply.type == redis::Reply::Type::nil) return Error{Errc::not_found, "it watches no master of that name"};
  const Error misshapen{Errc::protocol, "it is no Sentinel"};
  if (!reply.is_array() || reply.elements.size() != 2) return misshapen;
  const auto host = reply.elements[0].as_text();
  const auto port = reply.elements[1].as_integer();
  if (!host || host->empty() || !port || *port < 1 || *port > 65535) return misshapen;
  return MasterAddress{std::string(*host), static_cast<std::uint16_t>(*port)};
}

/// @return whether the error is a Sentinel's own word rather than that nobody was reached.
bool is_answer(Errc code) noexcept {
  constexpr Errc answers[] = {Errc::not_found,   Errc::server,  Errc::noperm,  Errc::auth,
                              Errc::unsupported, Errc::loading, Errc::protocol};
  return std::find(std::begin(answers), std::end(answers), code) != std::end(answers);
}

}  // namespace

class MasterFinder::Impl {
 public:
  Impl(asio::any_io_executor executor, SentinelFollowOptions options) : options_(std::move(options)) {
    assert(!options_.sentinels.empty());
    for (const auto& sentinel : options_.sentinels)
      connections_.push_back(
          std::make_unique<redis::Connection>(executor, sentinel, options_.connection, options_.login));
  }

  /// `self` keeps the Impl alive until the coroutine has ended, also when the MasterFinder goes first.
  static asio::awaitable<Result<MasterAddress>> run(std::shared_ptr<Impl> self, Deadline deadline);

  void distrust_last() noexcept { first_ = (first_ + 1) % connections_.size(); }

 private:
  asio::awaitable<Result<MasterAddress>> ask(redis::Connection& sentinel, Deadline deadline);

  const SentinelFollowOptions options_;
  std::vector<std::unique_ptr<redis::Connection>> connections_;
  std::size_t first_ = 0;  ///< Whom the next search begins with.
};

asio::awaitable<Result<MasterAddress>> MasterFinder::Impl::run(std::shared_ptr<Impl> self, Deadline deadline) {
  std::optional<Error> failure;
  const auto count = self->connections_.size();
  const auto begin = self->first_;
  for (std::size_t i = 0; i < count; ++i) {
    const auto index = (begin + i) % count;
    const auto now = std::chrono::steady_clock::now();
    const auto share = (deadline - now) / static_cast<long>(count - i);
    auto asking = self->ask(*self->connections_[index], now + share);
    const auto found = co_await std::move(asking);
    if (found) {
      self->first_ = index;
      co_return found;
    }
    const auto& error = found.error();
    const bool is_better = !failure || (error.code == Errc::not_found && failure->code != Errc::not_found) ||
                           (is_answer(error.code) && !is_answer(failure->code));
    if (is_better) failure = error;
  }
  co_return failure->with_context("no Sentinel tells where the master " + self->options_.master_name + " is");
}

asio::awaitable<Result<MasterAddress>> MasterFinder::Impl::ask(redis::Connection& sentinel, Deadline deadline) {
  std::vector<redis::Command> commands{{"SENTINEL", "GET-MASTER-ADDR-BY-NAME", options_.master_name}};
  auto pipeline = sentinel.pipeline(std::move(commands), deadline);
  const auto replies = co_await std::move(pipeline);
  sentinel.close();
  if (!replies) co_return replies.error();
  auto address = read_address(replies->front());
  if (!address) co_return address.error().with_context(sentinel.uri().redacted());
  co_return address;
}

Result<redis::Uri> parse_sentinel_address(std::string_view text) {
  const auto scheme = text.find("://");
  const auto authority = scheme == std::string_view::npos ? 0 : scheme + 3;
  const auto end = std::min(text.find_first_of("/?", authority), text.size());
  auto host = text.substr(authority, end - authority);
  if (const auto at = host.rfind('@'); at != std::string_view::npos) host.remove_prefix(at + 1);
  if (host.empty()) return Error{Errc::config, "a Sentinel's address needs a host: host, host:port or [address]:port"};
  const auto behind_brackets = host.starts_with('[') ? std::min(host.find(']'), host.size()) : 0;
  std::string whole(text);
  if (host.find(':', behind_brackets) == std::string_view::npos) whole.insert(end, default_port);
  return redis::parse_uri(whole);
}

MasterFinder::MasterFinder(asio::any_io_executor executor, SentinelFollowOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(options))) {
}

MasterFinder::~MasterFinder() = default;

asio::awaitable<Result<MasterAddress>> MasterFinder::find_master(Deadline deadline) {
  return Impl::run(impl_, deadline);
}

void MasterFinder::distrust_last() noexcept {
  impl_->distrust_last();
}

}  // namespace midst::sources::redis_info
