#include "agent/app/push_side.hpp"

#include "lib/base/log.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace midst::app {
namespace {

ingest::statsd::StatsdOptions statsd_options(const IngestConfig& config, const ingest::Store& store) {
  auto options = config.statsd.options;
  options.reserved_prefixes = config.limits.reserved_prefixes;
  options.unreserved_prefixes = config.limits.unreserved_prefixes;
  options.is_taken = [&store](std::string_view name) { return store.has_family(name); };
  return options;
}

}  // namespace

PushSide::PushSide(asio::any_io_executor executor, const IngestConfig& config, scrape::Scraper& scraper)
    : executor_(std::move(executor)), config_(config) {
  auto store = std::make_unique<ingest::Store>(config_.limits);
  store_ = store.get();
  statsd_ = std::make_unique<ingest::statsd::Statsd>(statsd_options(config_, *store_));
  store_->add(*statsd_);
  statsd_listener_ = std::make_unique<ingest::statsd::Listener>(executor_, *statsd_, config_.statsd.listener);
  scraper.add(std::move(store));
}

Result<Done> PushSide::start(std::vector<net::NamedDescriptor>& inherited) {
  auto allowed = ingest::AllowList::resolve(config_.allow_users, config_.allow_groups);
  if (!allowed) return allowed.error().with_context("ingest");
  ingest::ListenerOptions options;
  options.allowed = std::move(*allowed);
  push_ = std::make_unique<ingest::Listener>(executor_, *store_, std::move(options));
  if (const auto kept = keep_state(); !kept) return kept.error();
  const auto& statsd = config_.statsd;
  const net::SocketFile native{ingest::ListenerOptions().socket_mode, {}};
  const net::SocketFile open_to_all{statsd.listener.socket_mode, statsd.listener.socket_group};
  const Socket sockets[] = {
      {"ingest.socket", "push", config_.socket.empty() ? "" : "unix:" + config_.socket, config_.is_socket_explicit,
       net::open_listener, native, &PushSide::take_push},
      {"ingest.dogstatsd_socket", "dogstatsd", statsd.socket.empty() ? "" : "unix:" + statsd.socket,
       statsd.is_socket_explicit, net::open_datagram, open_to_all, &PushSide::take_statsd},
      {"ingest.dogstatsd_stream_socket", "dogstatsd-stream",
       statsd.stream_socket.empty() ? "" : "unix:" + statsd.stream_socket, statsd.is_stream_socket_explicit,
       net::open_listener, open_to_all, &PushSide::take_statsd},
      {"ingest.statsd.udp", "statsd-udp", statsd.udp, true, net::open_datagram, open_to_all, &PushSide::take_statsd}};
  for (const auto& socket : sockets)
    if (const auto done = listen(socket, inherited); !done) return done.error();
  return Done{};
}

Result<Done> PushSide::keep_state() {
  if (config_.state_file.empty()) return Done{};
  const auto kept = store_->keep_state(config_.state_file, std::chrono::steady_clock::now());
  if (kept) return Done{};
  if (config_.is_state_file_explicit) return kept.error().with_context("ingest.state_file");
  log::warn("push: totals end with this process: set ingest.state_file, or \"\" for none",
            {{"error", kept.error().message}});
  return Done{};
}

Result<Done> PushSide::listen(const Socket& socket, std::vector<net::NamedDescriptor>& inherited) {
  auto bound = open(socket, inherited);
  if (!bound && socket.is_explicit) return bound.error().with_context(socket.key);
  if (!bound)
    log::warn("a socket for pushed metrics cannot be opened: set its path, or \"\" for none",
              {{"setting", socket.key}, {"path", socket.path}, {"error", bound.error().message}});
  else if (!bound->empty())
    addresses_.push_back(std::move(*bound));
  return Done{};
}

/// @return the address, empty when there is none to open.
Result<std::string> PushSide::open(const Socket& socket, std::vector<net::NamedDescriptor>& inherited) {
  const auto found =
      std::find_if(inherited.begin(), inherited.end(), [&](const auto& passed) { return passed.name == socket.name; });
  if (found != inherited.end()) {
    auto descriptor = std::move(found->descriptor);
    inherited.erase(found);
    const bool is_stream = socket.open == net::open_listener;
    auto bound = is_stream ? net::adopt_listener(std::move(descriptor)) : net::adopt_datagram(std::move(descriptor));
    if (!bound) return bound.error().with_context(socket.name);
    return (this->*socket.take)(std::move(*bound));
  }
  if (socket.path.empty()) return std::string();
  const auto address = net::parse_listen_address(socket.path);
  if (!address) return address.error();
  auto bound = socket.open(*address, socket.file);
  if (!bound) return bound.error();
  // What systemd keeps outlives this process; its file must too.
  if (net::keep_with_systemd(bound->descriptor, socket.name)) bound->file.release();
  return (this->*socket.take)(std::move(*bound));
}

void PushSide::reload(const IngestConfig& next, ingest::AllowList allowed) {
  if (push_) push_->set_allowed(std::move(allowed));
  statsd_->set_rules(next.statsd.options.gauge_sign, next.statsd.options.resolve);
}

asio::awaitable<void> PushSide::stop(Deadline deadline) {
  if (push_) co_await push_->drain(deadline);
  co_await statsd_listener_->drain(deadline);
  store_->save_contributors();
}

}  // namespace midst::app
