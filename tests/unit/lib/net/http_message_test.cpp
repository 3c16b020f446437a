#include "lib/net/http_message.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace midst::net {
namespace {

constexpr std::size_t plenty = 1 << 20;

/// Feeds everything at once, again and again while the reader wants more of it.
Request read_whole(std::string_view bytes) {
  RequestReader reader(plenty, plenty);
  bytes.remove_prefix(reader.feed(bytes));
  while (!reader.is_done() && !reader.refusal() && !bytes.empty()) {
    const auto taken = reader.feed(bytes);
    if (taken == 0) break;
    bytes.remove_prefix(taken);
  }
  EXPECT_TRUE(reader.is_done());
  return reader.take();
}

unsigned status_of(std::string bytes, std::size_t header_bytes = plenty, std::size_t body_bytes = plenty) {
  RequestReader reader(header_bytes, body_bytes);
  std::size_t taken = 1;
  while (!reader.is_done() && !reader.refusal() && taken > 0) bytes.erase(0, taken = reader.feed(bytes));
  return reader.refusal() ? reader.refusal()->status : 0;
}

TEST(RequestReader, SplitsTargetIntoDecodedPathAndRawQuery) {
  const auto request = read_whole("GET /a%2Fb%20c?x=%31&y=2 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.path, "/a/b c");
  EXPECT_EQ(request.query, "x=%31&y=2");
}

TEST(RequestReader, TakesTheFormThatProxiesSend) {
  EXPECT_EQ(read_whole("GET http://host:1/p?q HTTP/1.1\r\nHost: h\r\n\r\n").path, "/p");
  EXPECT_EQ(read_whole("GET http://host HTTP/1.1\r\nHost: h\r\n\r\n").path, "/");
  EXPECT_EQ(read_whole("GET /?u=http://x HTTP/1.1\r\nHost: h\r\n\r\n").path, "/");
}

TEST(RequestReader, FindsHeadersWhateverTheirCase) {
  const auto request = read_whole("GET / HTTP/1.1\r\nhost: h\r\nX-Thing:  one \r\nx-thing: two\r\n\r\n");
  EXPECT_EQ(request.header("HOST"), "h");
  EXPECT_EQ(request.header("x-thing"), "one");
  EXPECT_EQ(request.header("absent"), "");
}

TEST(RequestReader, ReadsTheSameByteByByte) {
  const std::string text = "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
  RequestReader reader(plenty, plenty);
  std::string unread;
  for (const char c : text) {
    EXPECT_FALSE(reader.is_done());
    unread += c;
    unread.erase(0, reader.feed(unread));
    EXPECT_FALSE(reader.refusal());
  }
  ASSERT_TRUE(reader.is_done());
  EXPECT_EQ(reader.take().body, "hello");
}

TEST(RequestReader, LeavesTheNextRequestAlone) {
  const std::string first = "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::string both = first + "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n";
  RequestReader reader(plenty, plenty);
  EXPECT_EQ(reader.feed(both), first.size());
  EXPECT_TRUE(reader.is_done());
}

TEST(RequestReader, SkipsEmptyLinesBeforeARequest) {
  EXPECT_EQ(read_whole("\r\n\r\nGET /1 HTTP/1.1\r\nHost: h\r\n\r\n").path, "/1");
}

TEST(RequestReader, JoinsChunks) {
  const auto request = read_whole(
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\n\r\n");
  EXPECT_EQ(request.body, "hello world");
}

TEST(RequestReader, ReadsALastChunkThatComesAByteAtATime) {
  const std::string text =
      "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n!\r\n0\r\n\r\n";
  RequestReader reader(plenty, plenty);
  std::string unread;
  for (const char c : text) {
    EXPECT_FALSE(reader.is_done());
    unread += c;
    unread.erase(0, reader.feed(unread));
    unread.erase(0, reader.feed(unread));  // without anything new
    EXPECT_FALSE(reader.refusal());
  }
  ASSERT_TRUE(reader.is_done());
  EXPECT_EQ(reader.take().body, "!");
}

TEST(RequestReader, TakesNoTrailerForAHeader) {
  const auto request =
      read_whole("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Forged: 1\r\n\r\n");
  EXPECT_EQ(request.header("X-Forged"), "");
}

TEST(RequestReader, RefusesChunkLinesAndTrailersThatDoNotEnd) {
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(status_of(head + "5;" + std::string(98, 'x'), 100), 0U);
  EXPECT_EQ(status_of(head + "5;" + std::string(99, 'x'), 100), 431U);
  EXPECT_EQ(status_of(head + "0\r\nX: " + std::string(100, 'x'), 100), 431U);
}

TEST(RequestReader, CountsHeaderBytesFromTheFirstToTheEmptyLine) {
  const std::string text = "GET / HTTP/1.1\r\nHost: h\r\nX: 0123456789\r\n\r\n";
  EXPECT_EQ(status_of(text, text.size()), 0U);
  EXPECT_EQ(status_of(text, text.size() - 1), 431U);
  EXPECT_EQ(status_of("GET /" + std::string(9000, 'a'), 8192), 431U);
}

TEST(RequestReader, RefusesABodyBeyondTheLimitHoweverItIsFramed) {
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\n";
  EXPECT_EQ(status_of(head + "Content-Length: 5\r\n\r\nhello", plenty, 5), 0U);
  EXPECT_EQ(status_of(head + "Content-Length: 6\r\n\r\n", plenty, 5), 413U);
  EXPECT_EQ(status_of(head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", plenty, 5), 0U);
  EXPECT_EQ(status_of(head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", plenty, 5), 413U);
}

TEST(RequestReader, RefusesWhatIsMalformed) {
  const std::vector<std::string> broken = {
      "nonsense\r\n\r\n",
      "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",                        // RFC 9112, 3.2: a Host is needed
      "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",  // and only one
      "GET / HTTP/1.1\r\nHost : h\r\n\r\n",            // RFC 9112, 5.1: no space before the colon
      "GET / HTTP/1.1\r\nHost: h\r\n folded\r\n: x\r\n\r\n",
      "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET nowhere HTTP/1.1\r\nHost: h\r\n\r\n",
      "CONNECT host:1 HTTP/1.1\r\nHost: h\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",  // smuggling
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
      "\x16\x03\x01",  // the start of a TLS greeting, refused without waiting for more
      std::string("GET /") + std::string(1, char{}) + " HTTP/1.1\r\nHost: h\r\n\r\n",
  };
  for (const auto& text : broken) EXPECT_EQ(status_of(text), 400U) << text;
}

TEST(RequestReader, RefusesExpectationsItCannotMeet) {
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\nHost: h\r\nExpect: miracles\r\n\r\n"), 417U);
}

TEST(RequestReader, KnowsWhetherTheConnectionIsKept) {
  const auto keeps = [](std::string_view text) {
    RequestReader reader(plenty, plenty);
    reader.feed(text);
    EXPECT_TRUE(reader.is_header_done());
    return reader.keeps_alive();
  };
  EXPECT_TRUE(keeps("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
}

TEST(Request, DecodesParametersAsFormsDo) {
  Request request;
  request.query = "collect%5B%5D=redis&collect[]=a+b%2Bc&other=1&collect[]&collect[]=%zz";
  EXPECT_EQ(request.parameters("collect[]"), (std::vector<std::string>{"redis", "a b+c", "", "%zz"}));
  EXPECT_EQ(request.parameters("absent"), std::vector<std::string>{});
}

TEST(ResponseHead, WritesStatusLengthAndDate) {
  Response response;
  response.headers = {{"X-One", "1"}};
  HeadFacts facts;
  facts.content_length = 12;
  facts.date = "Sun, 06 Nov 1994 08:49:37 GMT";
  EXPECT_EQ(response_head(response, facts),
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Content-Length: 12\r\nX-One: 1\r\n\r\n");
}

TEST(ResponseHead, LetsNoHeaderValueStartAnotherHeader) {
  Response response;
  response.headers = {{"X-One", "1\r\nX-Evil: 1"}, {"X-Two\r\nX-Evil: ", "2"}};
  const auto head = response_head(response, HeadFacts{});
  EXPECT_EQ(head.find("\r\nX-Evil"), std::string::npos);
  EXPECT_NE(head.find("X-One: 1  X-Evil: 1\r\n"), std::string::npos);
}

TEST(ResponseHead, SaysNothingOfABodyWhereThereIsNone) {
  Response response;
  response.status = 204;
  EXPECT_EQ(response_head(response, HeadFacts{}), "HTTP/1.1 204 No Content\r\nDate: \r\n\r\n");
}

TEST(ResponseHead, NamesWhatBecomesOfTheConnectionWhereTheVersionLeavesItOpen) {
  HeadFacts facts;
  facts.keeps_alive = false;
  EXPECT_NE(response_head(Response{}, facts).find("\r\nConnection: close\r\n"), std::string::npos);
  facts.keeps_alive = true;
  EXPECT_EQ(response_head(Response{}, facts).find("Connection"), std::string::npos);
  facts.version = 10;
  EXPECT_NE(response_head(Response{}, facts).find("\r\nConnection: keep-alive\r\n"), std::string::npos);
}

TEST(HttpDate, IsWrittenInEnglishAndGmt) {
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
}

}  // namespace
}  // namespace midst::net
