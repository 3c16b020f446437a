// Which handler a request belongs to, and under which name it is counted. Pure.
#pragma once

#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"
#include "lib/net/http_server.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace midst::api {

/// A request as its handler gets it.
struct Call {
  net::Request request;
  std::vector<std::string> arguments;  ///< What the template's parameters stand for, in order; never empty texts.
  std::string request_id;
  Deadline deadline;  ///< By which the answer is due; handlers pass it on to every wait.
};

/// Answers a call. A failure becomes an answer by reply_for(); it is never an exception's job.
using RouteHandler = std::function<asio::awaitable<Result<net::Response>>(Call)>;

/// One thing that can be asked for.
struct Route {
  std::string method;     ///< "GET" also answers HEAD.
  std::string template_;  ///< "/v1/profiles/:id"; also the label.
  RouteHandler handler;
};

/// What a request matched. Its references live as long as the Router.
struct Match {
  const RouteHandler* handler = nullptr;  ///< Null: the path (404) or the method (405) is unknown.
  std::string_view label = "unmatched";   ///< The template.
  std::vector<std::string> arguments;
  std::string allow;  ///< The methods of the path, "GET, HEAD, POST"; empty when the path is unknown.
};

class Router {
 public:
  /// Adds a route; templates are added before the first match(). A template that differs from an earlier one only in
  /// the names of its parameters is a bug.
  void add(Route route);

  /// A literal segment goes before a parameter: "/v1/profiles/validate" is not "/v1/profiles/:id". No trailing slashes.
  [[nodiscard]] Match match(std::string_view method, std::string_view path) const;

  /// @return every (method, template), in the order of matching.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> routes() const;

 private:
  struct Endpoint {
    std::string method;
    RouteHandler handler;
  };
  struct Pattern {
    std::string template_;
    std::vector<std::string> segments;
    std::vector<Endpoint> endpoints;
  };
  std::vector<Pattern> patterns_;  // Literal segments first.
};

}  // namespace midst::api
