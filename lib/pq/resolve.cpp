#include "lib/pq/resolve.hpp"

#include "lib/base/text.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <algorithm>
#include <memory>
#include <tuple>

namespace midst::pq {
namespace {

using asio::ip::tcp;

/// getaddrinfo() cannot be interrupted: the lookup owns itself, and whoever waits for it may stop waiting.
struct Lookup {
  explicit Lookup(const asio::any_io_executor& executor) : resolver(executor), finished(executor, Deadline::max()) {}

  tcp::resolver resolver;
  asio::steady_timer finished;  ///< Never expires; cancelled when the answer is there.
  bool is_finished = false;
  error_code error;
  std::vector<std::string> addresses;
};

/// The parallel lists of libpq's multi-host form.
struct HostList {
  std::string hosts, addresses, ports;
  std::size_t size = 0;

  void add(std::string_view host, std::string_view address, std::string_view port) {
    const std::string_view separator = size++ == 0 ? "" : ",";
    hosts.append(separator).append(host);
    addresses.append(separator).append(address);
    ports.append(separator).append(port);
  }
};

bool is_socket_folder(std::string_view host) noexcept {
  return host.starts_with('/') || host.starts_with('@');
}

bool is_address(const std::string& host) noexcept {
  error_code error;
  asio::ip::make_address(host, error);
  return !error;
}

bool needs_lookup(const std::string& host) noexcept {
  return !host.empty() && !is_socket_folder(host) && !is_address(host);
}

/// Unlike text::split: an empty list is one empty host, as for libpq.
std::vector<std::string> list_of(std::string_view text) {
  std::vector<std::string> parts;
  for (const auto part : text::split(text, ',')) parts.emplace_back(part);
  if (parts.empty()) parts.emplace_back();
  return parts;
}

asio::awaitable<Result<std::vector<std::string>>> look_up(asio::any_io_executor executor, std::string name) {
  const auto lookup = std::make_shared<Lookup>(executor);
  lookup->resolver.async_resolve(name, "", [lookup](const error_code& error, const auto& found) {
    lookup->error = error;
    for (const auto& entry : found) lookup->addresses.push_back(entry.endpoint().address().to_string());
    lookup->is_finished = true;
    lookup->finished.cancel();
  });
  while (!lookup->is_finished) {
    const auto [error] = co_await lookup->finished.async_wait(as_result);
    std::ignore = error;  // a cancelled caller leaves by the exception of its next co_await
  }
  if (lookup->error) co_return Error{Errc::dns, "name lookup of \"" + name + "\": " + lookup->error.message()};
  auto& addresses = lookup->addresses;
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  co_return std::move(addresses);
}

}  // namespace

asio::awaitable<Result<Conninfo>> resolve_hosts(asio::any_io_executor executor, Conninfo conninfo) {
  const auto names = list_of(conninfo.get("host"));
  const bool has_names = std::any_of(names.begin(), names.end(), needs_lookup);
  if (!has_names || !conninfo.get("hostaddr").empty()) co_return std::move(conninfo);
  auto ports = list_of(conninfo.get("port"));
  if (ports.size() == 1) ports.assign(names.size(), ports.front());
  if (ports.size() != names.size()) co_return Error{Errc::config, "there are more or fewer ports than hosts"};

  HostList list;
  Result<std::vector<std::string>> found = std::vector<std::string>{};
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!needs_lookup(names[i])) {
      list.add(names[i], "", ports[i]);
      continue;
    }
    found = co_await look_up(executor, names[i]);
    if (!found) continue;  // the other hosts may do
    for (const auto& address : *found) list.add(names[i], address, ports[i]);
  }
  if (list.size == 0) co_return found ? Error{Errc::dns, "the host has no address"} : found.error();
  conninfo.set("host", std::move(list.hosts));
  conninfo.set("hostaddr", std::move(list.addresses));
  if (!conninfo.get("port").empty()) conninfo.set("port", std::move(list.ports));
  co_return std::move(conninfo);
}

}  // namespace midst::pq
