#include "lib/net/http_message.hpp"

#include "lib/base/text.hpp"

#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <limits>

namespace midst::net {

namespace http = boost::beast::http;

class RequestReader::Parser : public http::request_parser<http::string_body> {};

namespace {

std::string_view view(boost::beast::string_view text) noexcept {
  return {text.data(), text.size()};
}

struct Target {
  std::string path;
  std::string query;
};

/// Origin form, absolute form (a proxy's) or "*" (RFC 9112, 3.2).
Result<Target> parse_target(std::string_view target) {
  if (const auto scheme = target.find("://"); scheme != std::string_view::npos && !target.starts_with('/')) {
    const auto path = target.find_first_of("/?", scheme + 3);
    target = path == std::string_view::npos ? "/" : target.substr(path);
  }
  auto raw_path = text::take_until(target, '?');
  if (raw_path.empty()) raw_path = "/";
  if (!raw_path.starts_with('/') && raw_path != "*") return Error{Errc::protocol, "not a path"};
  auto path = text::percent_decode(raw_path);
  if (!path) return path.error();
  return Target{std::move(*path), std::string(target)};
}

std::string decode_form(std::string_view raw) {
  std::string spaced(raw);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  auto decoded = text::percent_decode(spaced);
  return decoded ? std::move(*decoded) : std::string(raw);
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  for (const char c : name)
    if (!is_control(c) && c != ':' && c != ' ') out += c;
  out += ": ";
  for (const char c : value) out += is_control(c) ? ' ' : c;
  out += "\r\n";
}

}  // namespace

std::string_view Request::header(std::string_view name) const noexcept {
  for (const auto& [key, value] : headers)
    if (text::equal_ignoring_case(key, name)) return value;
  return {};
}

std::vector<std::string> Request::parameters(std::string_view name) const {
  std::vector<std::string> values;
  for (auto pair : text::split(query, '&')) {
    const auto key = text::take_until(pair, '=');
    if (decode_form(key) == name) values.push_back(decode_form(pair));
  }
  return values;
}

RequestReader::RequestReader(std::size_t header_bytes, std::size_t body_bytes)
    : parser_(std::make_unique<Parser>()), header_bytes_(header_bytes) {
  parser_->header_limit(std::numeric_limits<std::uint32_t>::max());  // see has_whole_header()
  parser_->body_limit(body_bytes);
}

RequestReader::~RequestReader() = default;

std::size_t RequestReader::feed(std::string_view bytes) {
  std::size_t taken = 0;
  // Empty lines before a request are the tail of a sloppy client's last one (RFC 9112, 2.2).
  while (!has_begun_ && bytes.substr(taken).starts_with("\r\n")) taken += 2;
  if (taken == bytes.size() || (!has_begun_ && bytes.substr(taken) == "\r")) return taken;
  has_begun_ = true;
  if (!is_header_done_) {
    if (!has_whole_header(bytes.substr(taken))) return taken;
    taken += put(bytes.substr(taken));  // not eager: ends behind the headers, so that no trailer passes for one
    if (parser_->is_header_done() && !refusal_) check_header();
    parser_->eager(true);
  }
  // Beast 1.81 asserts that it never looks twice at a last chunk of fewer bytes; every message ends with that many, so
  // that nothing is held back for good. Test: ReadsALastChunkThatComesAByteAtATime.
  const std::size_t least = parser_->chunked() ? std::string_view("0\r\n\r\n").size() : 1;
  if (!refusal_ && !parser_->is_done() && bytes.size() - taken >= least) taken += put(bytes.substr(taken));
  is_done_ = !refusal_ && parser_->is_done();
  // What the parser leaves in a body is an unfinished chunk line or trailer, which has no limit of its own.
  if (!is_done_ && !refusal_ && bytes.size() - taken > header_bytes_)
    refuse(431, "a chunk line or trailer is too long");
  return taken;
}

std::size_t RequestReader::put(std::string_view bytes) {
  boost::system::error_code ec;
  const auto taken = parser_->put(boost::asio::buffer(bytes.data(), bytes.size()), ec);
  if (ec == http::error::body_limit)
    refuse(413, "the body is too long");
  else if (ec && ec != http::error::need_more)
    refuse(400, "the request is malformed");
  return taken;
}

/// The parser gets the headers in one piece: Beast 1.81 looks at its own limit only while they are incomplete, so a
/// block that arrives whole may be longer than it.
bool RequestReader::has_whole_header(std::string_view bytes) {
  constexpr std::string_view end_of_headers = "\r\n\r\n";
  const bool is_text = bytes.front() > ' ' && bytes.front() < 0x7F;  // a TLS greeting is not, and need not be awaited
  if (!is_text) refuse(400, "the request is malformed");
  const auto end = bytes.find(end_of_headers, searched_);
  const bool is_whole = end != std::string_view::npos;
  searched_ = bytes.size() - std::min(bytes.size(), end_of_headers.size() - 1);
  const bool is_too_long = is_whole ? end + end_of_headers.size() > header_bytes_ : bytes.size() >= header_bytes_;
  if (is_too_long) refuse(431, "the request line and headers are too long");
  return is_whole && !refusal_;
}

void RequestReader::check_header() {
  is_header_done_ = true;
  const auto& message = parser_->get();
  version_ = message.version();
  keeps_alive_ = message.keep_alive();
  const auto hosts = message.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && version_ >= 11)) return refuse(400, "exactly one Host header is needed");
  auto target = parse_target(view(message.target()));
  if (!target) return refuse(400, "the request target is malformed");
  if (const auto expect = view(message[http::field::expect]); !expect.empty()) {
    if (!text::equal_ignoring_case(expect, "100-continue")) return refuse(417, "only 100-continue can be expected");
    expects_continue_ = version_ >= 11;
  }
  request_.method = view(message.method_string());
  request_.path = std::move(target->path);
  request_.query = std::move(target->query);
  for (const auto& field : message) request_.headers.emplace_back(view(field.name_string()), view(field.value()));
}

Request RequestReader::take() {
  request_.body = std::move(parser_->get().body());
  return std::move(request_);
}

bool has_body(unsigned status) noexcept {
  return status >= 200 && status != 204 && status != 304;
}

std::string response_head(const Response& response, const HeadFacts& facts) {
  const auto reason = http::obsolete_reason(http::int_to_status(response.status));
  std::string out = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\n", response.status, view(reason), facts.date);
  if (has_body(response.status)) {
    append_header(out, "Content-Type", response.content_type);
    out += fmt::format("Content-Length: {}\r\n", facts.content_length);
  }
  if (facts.is_gzip) out += "Content-Encoding: gzip\r\n";
  if (facts.is_negotiated) out += "Vary: Accept-Encoding\r\n";
  for (const auto& [name, value] : response.headers) append_header(out, name, value);
  if (!facts.keeps_alive)
    out += "Connection: close\r\n";
  else if (facts.version < 11)
    out += "Connection: keep-alive\r\n";
  out += "\r\n";
  return out;
}

std::string http_date(std::time_t when) {
  // strftime would write the day and month in the process's language.
  constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm utc{};
  ::gmtime_r(&when, &utc);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", days.at(static_cast<std::size_t>(utc.tm_wday)),
                     utc.tm_mday, months.at(static_cast<std::size_t>(utc.tm_mon)), utc.tm_year + 1900, utc.tm_hour,
                     utc.tm_min, utc.tm_sec);
}

}  // namespace midst::net
