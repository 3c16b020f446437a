// A loopback TCP server that plays a script to each connection: for faults, and for server versions that are not
// packaged.
#pragma once

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace midst::test {

/// One step of a script.
struct Step {
  enum class Kind { await, send, hang, close };
  Kind kind;
  std::string text;

  /// Reads until what came since the last await contains `text`.
  static Step await(std::string text) { return {Kind::await, std::move(text)}; }
  static Step send(std::string bytes) { return {Kind::send, std::move(bytes)}; }
  /// Keeps the connection open and silent until the client closes it.
  static Step hang() { return {Kind::hang, {}}; }
  /// Closes the connection; so does the end of a script.
  static Step close() { return {Kind::close, {}}; }
};

using Script = std::vector<Step>;

/// Runs on the test's io_context. The n-th connection plays the n-th script; the last one is played again after that.
class ScriptedServer {
 public:
  ScriptedServer(boost::asio::io_context& io, std::vector<Script> scripts);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept;
  [[nodiscard]] std::size_t connection_count() const noexcept;
  /// @return all bytes the n-th connection has sent so far.
  [[nodiscard]] const std::string& received(std::size_t connection) const;
  /// @return how often the n-th connection's bytes began to arrive after the script had sent something, or at the
  /// start: the round trips it has begun.
  [[nodiscard]] std::size_t turns(std::size_t connection) const;

  struct State;  ///< Defined in the .cpp, whose free coroutines use it.

 private:
  std::shared_ptr<State> state_;
};

}  // namespace midst::test
