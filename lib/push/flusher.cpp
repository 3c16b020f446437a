#include "lib/push/flusher.hpp"

#include "lib/push/ending.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace midst::push::detail {
namespace {

constexpr std::chrono::milliseconds first_backoff{25}, longest_backoff{1000};
/// An agent that does not answer HELLO or SNAP for that long is given up and dialled again.
constexpr std::chrono::seconds greeting_limit{5}, ack_limit{30};
constexpr std::chrono::milliseconds longest_pause{10'000};

std::uint64_t unix_time_ns() noexcept {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

}  // namespace

void Requests::wake() const noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_descriptor, &one, sizeof one);
}

Flusher::Flusher(FlusherOptions options, Registry& registry, Requests& requests)
    : options_(std::move(options)),
      registry_(registry),
      requests_(requests),
      connection_(options_.socket_path),
      backoff_(first_backoff) {
  std::memcpy(&random_, options_.instance.data(), sizeof random_);
  random_ |= 1;
  next_tick_ = Clock::now() + jittered(options_.flush_interval);
}

void Flusher::run() {
  for (;;) {
    {
      const std::lock_guard lock(requests_.mutex);
      if (requests_.must_stop) break;
      if (requests_.wanted > wanted_) {
        backoff_ = first_backoff;
        next_attempt_ = std::min(next_attempt_, Clock::now() + first_backoff);
      }
      wanted_ = requests_.wanted;
    }
    work();
    wait(std::min({phase_ == Phase::down ? next_attempt_ : answer_due_, next_tick_}));
    if (is_ending()) break;
  }
  finish();
  if (is_ending()) has_delivered();
}

/// One round: whatever can be done without waiting.
void Flusher::work() {
  const auto now = Clock::now();
  if (phase_ == Phase::down && now >= next_attempt_) connect(now);
  if (now >= next_tick_ || (phase_ == Phase::ready && snapshot_ == Snapshot::none && wanted_ > flushed_)) tick(now);
  if (phase_ != Phase::down && now >= answer_due_) {
    ++stats_.send_errors;
    disconnect(now);
  }
  pump();
  publish_stats();
}

void Flusher::connect(Clock::time_point now) {
  if (!connection_.open()) return disconnect(now);
  wire::Hello hello;
  hello.features = wire::feature_exemplars;
  if (options_.memory >= 0) {
    hello.features |= shared::feature;
    connection_.pass(options_.memory);
  }
  hello.instance = options_.instance;
  hello.start_time_ns = options_.start_time_ns;
  hello.library = "midst-cpp/0.1";
  hello.resource = options_.resource.substr(0, wire::max_text_bytes);
  hello.flush_interval_ms = static_cast<std::uint32_t>(options_.flush_interval.count());
  hello.agent_epoch = told_epoch_;
  wire::encode(connection_.out(), hello);
  phase_ = Phase::greeting;
  answer_due_ = now + greeting_limit;
}

/// Back to the start, with the next attempt after a growing wait. The snapshot under way is given up: values are
/// absolute, so the next one carries them.
void Flusher::disconnect(Clock::time_point now) {
  connection_.close();
  phase_ = Phase::down;
  snapshot_ = Snapshot::none;
  is_last_snapshot_ = false;
  next_attempt_ = now + jittered(backoff_);
  backoff_ = std::min(backoff_ * 2, longest_backoff);
}

/// A flush is due, or one was asked for.
void Flusher::tick(Clock::time_point now) {
  if (now >= next_tick_) next_tick_ = now + jittered(options_.flush_interval);
  if (phase_ != Phase::ready || snapshot_ != Snapshot::none) {
    ++stats_.skipped_flushes;
    return;
  }
  start_snapshot();
}

/// Nothing that the program's own functions throw ends the thread, or the program with it.
void Flusher::call_back() {
  std::vector<std::function<void()>> callbacks;
  {
    const std::lock_guard lock(requests_.mutex);
    callbacks = requests_.before_flush;
    wanted_ = requests_.wanted;
  }
  for (const auto& callback : callbacks) {
    try {
      callback();
    } catch (const std::exception& problem) {
      if (!std::exchange(has_reported_callback_, true)) options_.report("a callback has thrown", problem.what());
    } catch (...) {
      if (!std::exchange(has_reported_callback_, true)) options_.report("a callback has thrown", "no exception");
    }
  }
}

void Flusher::start_snapshot() {
  call_back();
  covered_ = wanted_;
  wire::Snap head;
  head.seq = ++seq_;
  head.unix_time_ns = unix_time_ns();
  registry_.begin(std::move(head));
  snapshot_ = Snapshot::sending;
}

/// Fills the socket: the rest of the last frame first, then frame after frame of the snapshot under way.
void Flusher::pump() {
  while (phase_ != Phase::down) {
    if (!connection_.write()) {
      ++stats_.send_errors;
      return disconnect(Clock::now());
    }
    if (connection_.has_unsent() || snapshot_ != Snapshot::sending) return;
    const bool is_forced = covered_ > flushed_ || is_last_snapshot_;
    const wire::ClientReport report{stats_.skipped_flushes, stats_.reconnects, stats_.send_errors,
                                    registry_.counts().overflowed};
    switch (registry_.next(connection_.out(), max_frame_, is_forced, report)) {
      case Registry::Progress::more:
        break;
      case Registry::Progress::nothing:
        --seq_;  // was not used
        snapshot_ = Snapshot::none;
        return;
      case Registry::Progress::done:
        ++stats_.flushes;
        snapshot_ = Snapshot::unacknowledged;
        answer_due_ = Clock::now() + ack_limit;
        if (is_last_snapshot_) wire::encode_bye(connection_.out());
        break;
    }
    told_epoch_ = epoch_;
  }
}

void Flusher::wait(Clock::time_point until) {
  pollfd waited[2] = {{requests_.wake_descriptor, POLLIN, 0}, {connection_.descriptor(), POLLIN, 0}};
  if (connection_.has_unsent()) waited[1].events |= POLLOUT;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  const int limit = static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
  if (::poll(waited, phase_ == Phase::down ? 1 : 2, limit) <= 0) return;
  if (waited[0].revents != 0) {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto size = ::read(requests_.wake_descriptor, &count, sizeof count);
  }
  if (phase_ != Phase::down && (waited[1].revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL)) != 0) receive();
}

void Flusher::receive() {
  const bool is_alive = connection_.read();
  wire::FrameHeader header;
  std::string_view payload;
  for (;;) {
    const auto incoming = connection_.next(header, payload);
    if (incoming == Connection::Incoming::none) break;
    if (incoming == Connection::Incoming::broken || !handle(header, payload)) {
      ++stats_.send_errors;
      return disconnect(Clock::now());
    }
  }
  if (!is_alive) disconnect(Clock::now());
}

bool Flusher::handle(wire::FrameHeader header, std::string_view payload) {
  if (header.type >= wire::first_ignorable_type) return true;
  switch (static_cast<wire::Type>(header.type)) {
    case wire::Type::welcome:
      return handle_welcome(payload);
    case wire::Type::ack:
      return handle_ack(payload);
    case wire::Type::err:
      return handle_err(payload);
    default:
      return false;
  }
}

bool Flusher::handle_welcome(std::string_view payload) {
  const auto welcome = wire::decode_welcome(payload);
  if (!welcome || welcome->major != wire::major_version || phase_ != Phase::greeting) return false;
  if (epoch_ != 0) ++stats_.reconnects;
  epoch_ = welcome->epoch;
  max_frame_ = welcome->max_frame;
  registry_.welcome(*welcome);
  // A snapshot of this number may have arrived although its ACK did not; the next one must be newer.
  seq_ = std::max(seq_, welcome->last_seq);
  phase_ = Phase::ready;
  answer_due_ = Clock::time_point::max();
  next_tick_ = Clock::now();
  return true;
}

bool Flusher::handle_ack(std::string_view payload) {
  const auto ack = wire::decode_ack(payload);
  if (!ack || phase_ != Phase::ready) return false;
  for (const auto& rejected : ack->rejected) registry_.refuse_series(rejected.id);
  if (snapshot_ != Snapshot::unacknowledged || ack->seq != seq_) return true;
  snapshot_ = Snapshot::none;
  answer_due_ = Clock::time_point::max();
  if (ack->pause_ms > 0) next_tick_ += std::min(std::chrono::milliseconds(ack->pause_ms), longest_pause);
  backoff_ = first_backoff;
  flushed_ = covered_;
  const std::lock_guard lock(requests_.mutex);
  requests_.flushed = flushed_;
  requests_.changed.notify_all();
  return true;
}

bool Flusher::handle_err(std::string_view payload) {
  const auto err = wire::decode_err(payload);
  if (!err) return false;
  options_.report("the agent refused something", err->text);
  if (err->code == wire::ErrorCode::family_refused) registry_.refuse_family(err->family);
  if (err->is_fatal) backoff_ = longest_backoff;
  return !err->is_fatal;
}

/// The last snapshot and BYE, and its ACK, within exit_limit; dials once if there is no connection, for programs that
/// live shorter than a flush interval.
void Flusher::finish() {
  const auto end = Clock::now() + exit_limit;
  if (phase_ == Phase::down) connect(Clock::now());
  while (phase_ != Phase::down && Clock::now() < end) {
    if (phase_ == Phase::ready && snapshot_ == Snapshot::none) {
      if (is_last_snapshot_) break;  // acknowledged
      is_last_snapshot_ = true;
      start_snapshot();
    }
    pump();
    if (phase_ != Phase::down) wait(end);
  }
  publish_stats();
}

void Flusher::publish_stats() {
  const auto counts = registry_.counts();
  const std::lock_guard lock(requests_.mutex);
  requests_.stats = stats_;
  requests_.stats.bytes_sent = connection_.bytes_sent();
  requests_.stats.overflowed_series = counts.overflowed;
  requests_.stats.rejected_series = counts.rejected;
  requests_.stats.is_connected = phase_ == Phase::ready;
}

/// @return the interval ± 10 %, so that many clients do not flush in step.
std::chrono::milliseconds Flusher::jittered(std::chrono::milliseconds interval) noexcept {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  const auto percent = 90 + static_cast<std::int64_t>(random_ % 21);
  return std::max(std::chrono::milliseconds(1), interval * percent / 100);
}

}  // namespace midst::push::detail
