#include "lib/pq/login_error.hpp"

#include <gtest/gtest.h>

namespace midst::pq {
namespace {

// Messages as libpq 15.20 and Postgres 15 write them with PQERRORS_VERBOSE; the integration tests meet most of them
// live.
TEST(LoginError, KnowsTheKindOfEachRefusal) {
  const struct {
    std::string_view message;
    Errc kind;
  } table[] = {
      {"connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n"
       "\tIs the server running on that host and accepting TCP/IP connections?\n",
       Errc::connect_refused},
      {"connection to server on socket \"/nowhere/.s.PGSQL.5432\" failed: No such file or directory\n"
       "\tIs the server running locally and accepting connections on that socket?\n",
       Errc::connect_refused},
      {"connection to server at \"10.0.0.1\", port 5432 failed: No route to host\n", Errc::connect_refused},
      {"connection to server at \"10.0.0.1\", port 5432 failed: Connection timed out\n", Errc::timeout},
      {"could not translate host name \"nosuch\" to address: Name or service not known\n", Errc::dns},
      {"connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  28P01: password authentication failed for "
       "user "
       "\"me\"\nLOCATION:  auth_failed, auth.c:337\n",
       Errc::auth},
      {"connection to server at \"127.0.0.1\", port 5432 failed: fe_sendauth: no password supplied\n", Errc::auth},
      {"connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  28000: no pg_hba.conf entry for host "
       "\"127.0.0.1\", user \"me\", database \"app\", no encryption\nLOCATION:  ClientAuthentication, auth.c:543\n",
       Errc::auth},
      {"connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  53300: sorry, too many clients already\n"
       "LOCATION:  InitProcess, proc.c:353\n",
       Errc::limit},
      {"connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  57P03: the database system is starting up\n"
       "LOCATION:  ProcessStartupPacket, postmaster.c:2390\n",
       Errc::loading},
      {"connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  3D000: database \"SSL\" does not exist\n"
       "LOCATION:  InitPostgres, postinit.c:1040\n",
       Errc::server},
      {"connection to server at \"127.0.0.1\", port 6432 failed: FATAL:  08P01: no more connections allowed "
       "(max_client_conn)\n",
       Errc::limit},
      {"connection to server at \"127.0.0.1\", port 5432 failed: server does not support SSL, but SSL was required\n",
       Errc::tls},
      {"connection to server at \"127.0.0.1\", port 5432 failed: root certificate file \"/root.crt\" does not exist\n",
       Errc::tls},
      {"connection to server at \"127.0.0.1\", port 5432 failed: SSL error: certificate verify failed\n", Errc::tls},
      {"connection to server at \"127.0.0.1\", port 5432 failed: server closed the connection unexpectedly\n"
       "\tThis probably means the server terminated abnormally\n\tbefore or while processing the request.\n",
       Errc::closed},
      {"connection to server at \"127.0.0.1\", port 80 failed: expected authentication request from server, but "
       "received H\n",
       Errc::protocol},
      {"invalid sslmode value: \"sometimes\"\n", Errc::config},
      {"", Errc::server},
  };
  for (const auto& row : table) EXPECT_EQ(login_error(row.message).code, row.kind) << row.message;
}

TEST(LoginError, JudgesByTheHostThatWasTriedLast) {
  const auto error = login_error(
      "connection to server at \"a\" (10.0.0.1), port 5432 failed: FATAL:  28P01: password authentication failed\n"
      "connection to server at \"b\" (10.0.0.2), port 5432 failed: Connection refused\n"
      "\tIs the server running on that host and accepting TCP/IP connections?\n");
  EXPECT_EQ(error.code, Errc::connect_refused);
}

TEST(LoginError, SaysItInOneLineWithoutSourceLocations) {
  EXPECT_EQ(login_error("connection to server at \"a\" failed: FATAL:  57P03: the database system is starting up\n"
                        "LOCATION:  ProcessStartupPacket, postmaster.c:2390\n"
                        "connection to server at \"b\" failed: Connection refused\n"
                        "\tIs the server running on that host and accepting TCP/IP connections?\n")
                .message,
            "connection to server at \"a\" failed: FATAL:  57P03: the database system is starting up; "
            "connection to server at \"b\" failed: Connection refused");
}

}  // namespace
}  // namespace midst::pq
