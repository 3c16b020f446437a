#include "lib/base/error.hpp"

#include <stdexcept>

namespace midst {

std::string_view word(Errc code) noexcept {
  switch (code) {
    case Errc::connect_refused:
      return "connect_refused";
    case Errc::dns:
      return "dns";
    case Errc::tls:
      return "tls";
    case Errc::auth:
      return "auth";
    case Errc::noperm:
      return "noperm";
    case Errc::timeout:
      return "timeout";
    case Errc::closed:
      return "closed";
    case Errc::loading:
      return "loading";
    case Errc::protocol:
      return "protocol";
    case Errc::limit:
      return "limit";
    case Errc::unsupported:
      return "unsupported";
    case Errc::config:
      return "config";
    case Errc::not_found:
      return "not_found";
    case Errc::conflict:
      return "conflict";
    case Errc::server:
      return "server";
    case Errc::internal:
      return "internal";
  }
  return "internal";
}

Error Error::with_context(std::string_view context) const {
  return Error{code, std::string(context) + ": " + message};
}

std::string describe(const Error& error) {
  return std::string(word(error.code)) + ": " + error.message;
}

void throw_exception_from_error(const Error& error, const boost::source_location& where) {
  throw std::logic_error("value() of a failure at " + where.to_string() + ": " + describe(error));
}

}  // namespace midst
