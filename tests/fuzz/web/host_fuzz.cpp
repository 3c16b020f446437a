// A Host header: what is allowed is one of our names or a number, however it is written.
#include "agent/web/guard.hpp"
#include "lib/base/text.hpp"

#include <boost/asio/ip/address.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view header(reinterpret_cast<const char*>(data), size);
  midst::web::GuardOptions options;
  options.allowed_hosts = {"metrics.example"};
  options.own_hosts = {"myhost"};
  const auto name = midst::web::host_name(header);
  if (name.size() > header.size() || name != midst::text::lower(name)) std::abort();
  if (midst::web::host_name(name) != name && name.find(':') == std::string::npos && !name.ends_with('.') &&
      name == midst::text::trim(name) && !name.starts_with('['))
    std::abort();
  if (!midst::web::is_allowed_host(header, options) || header.empty()) return 0;
  boost::system::error_code no_address;
  boost::asio::ip::make_address(name, no_address);
  const bool is_ours = name == "localhost" || name == "myhost" || name == "metrics.example";
  if (!is_ours && no_address) std::abort();
  return 0;
}
