#include "api/http/replies.hpp"

#include "lib/base/text.hpp"

#include <utility>

namespace midst::api {
namespace {

/// Whole seconds after which another attempt makes sense.
constexpr std::string_view retry_after = "1";

std::string error_body(std::string_view code, std::string_view message) {
  std::string body = R"({"ok":false,"error":)";
  text::append_json_string(body, code);
  body += R"(,"message":)";
  text::append_json_string(body, message);
  return body;
}

net::Response unavailable_reply(std::string_view code, std::string_view message) {
  auto response = error_reply(503, code, message);
  response.headers.emplace_back("Retry-After", retry_after);
  return response;
}

}  // namespace

net::Response json_reply(unsigned status, std::string body) {
  net::Response response;
  response.status = status;
  response.content_type = "application/json; charset=utf-8";
  response.body = std::move(body);
  return response;
}

net::Response error_reply(unsigned status, std::string_view code, std::string_view message) {
  return json_reply(status, error_body(code, message) + '}');
}

net::Response validation_reply(const FieldErrors& errors) {
  auto body = error_body("validation_failed", "the request has fields that cannot be accepted");
  body += R"(,"fields":{)";
  for (const auto& error : errors) {
    if (&error != &errors.front()) body += ',';
    text::append_json_string(body, error.field);
    body += ':';
    text::append_json_string(body, error.message);
  }
  return json_reply(400, body + "}}");
}

net::Response reply_for(const Error& error) {
  switch (error.code) {
    case Errc::not_found:
      return error_reply(404, "not_found", error.message);
    case Errc::conflict:
      return error_reply(409, "conflict", error.message);
    case Errc::limit:
      return unavailable_reply("overloaded", "too much at once; try again");
    case Errc::timeout:
      return unavailable_reply("timeout", "the answer took too long; try again");
    case Errc::connect_refused:
    case Errc::dns:
    case Errc::tls:
    case Errc::auth:
    case Errc::closed:
    case Errc::loading:
      return unavailable_reply("storage_unavailable", "the database cannot be reached at the moment; try again");
    case Errc::noperm:
    case Errc::protocol:
    case Errc::unsupported:
    case Errc::config:
    case Errc::server:
    case Errc::internal:
      break;
  }
  return error_reply(500, "internal_error", "something went wrong on our side");
}

}  // namespace midst::api
