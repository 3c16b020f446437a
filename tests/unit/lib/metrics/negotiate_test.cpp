#include "lib/metrics/encode.hpp"

#include <gtest/gtest.h>

#include <string>

namespace midst::metrics {
namespace {

struct AcceptCase {
  const char* name;
  std::string_view accept;
  Format format;
};

class Negotiate : public ::testing::TestWithParam<AcceptCase> {};

TEST_P(Negotiate, PicksTheFormatTheServerMeant) {
  EXPECT_EQ(negotiate(GetParam().accept), GetParam().format);
}

constexpr std::string_view prometheus_2_42 =
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
constexpr std::string_view prometheus_2_42_native =
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
    "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
constexpr std::string_view prometheus_2_49 =
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=2";
constexpr std::string_view prometheus_3 =
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
constexpr std::string_view prometheus_3_native =
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;"
    "escaping=allow-utf-8;q=0.7,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
constexpr std::string_view prometheus_3_text_only =
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

INSTANTIATE_TEST_SUITE_P(Servers, Negotiate,
                         ::testing::Values(AcceptCase{"Prometheus242", prometheus_2_42, Format::openmetrics},
                                           AcceptCase{"Prometheus242Native", prometheus_2_42_native, Format::protobuf},
                                           AcceptCase{"Prometheus249", prometheus_2_49, Format::openmetrics},
                                           AcceptCase{"Prometheus3", prometheus_3, Format::openmetrics},
                                           AcceptCase{"Prometheus3Native", prometheus_3_native, Format::protobuf},
                                           AcceptCase{"Prometheus3TextOnly", prometheus_3_text_only, Format::text},
                                           AcceptCase{"Curl", "*/*", Format::text},
                                           AcceptCase{"Firefox",
                                                      "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                                                      Format::text},
                                           AcceptCase{"NoHeader", "", Format::text}),
                         [](const auto& row) { return std::string(row.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Rules, Negotiate,
    ::testing::Values(
        AcceptCase{"OpenMetricsWithoutVersion", "application/openmetrics-text", Format::openmetrics},
        AcceptCase{"OpenMetricsDraft", "application/openmetrics-text;version=0.0.1", Format::openmetrics},
        AcceptCase{"OpenMetricsFuture", "application/openmetrics-text;version=2.0.0", Format::text},
        AcceptCase{"QuotedVersion", "application/openmetrics-text; version=\"1.0.0\"", Format::openmetrics},
        AcceptCase{"AnyCase", "Application/OpenMetrics-Text; Version=1.0.0; Q=1", Format::openmetrics},
        AcceptCase{"TextOfAnotherVersion", "text/plain;version=1.0.0", Format::text},
        AcceptCase{"ProtobufWithoutEncoding", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily",
                   Format::text},
        AcceptCase{"ProtobufAsText",
                   "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
                   Format::text},
        AcceptCase{"ProtobufOfAnotherMessage",
                   "application/vnd.google.protobuf;proto=other;encoding=delimited,application/openmetrics-text;q=0.1",
                   Format::openmetrics},
        AcceptCase{"HigherQ", "application/openmetrics-text;q=0.4,text/plain;q=0.5", Format::text},
        AcceptCase{"TieGoesToTheMoreCapable", "text/plain,application/openmetrics-text", Format::openmetrics},
        AcceptCase{"TieWithWildcard", "*/*;q=0.5,application/openmetrics-text;q=0.5", Format::openmetrics},
        AcceptCase{"WildcardAboveOpenMetrics", "*/*;q=0.9,application/openmetrics-text;q=0.5", Format::text},
        AcceptCase{"WildcardBelowRefusedText", "text/plain;q=0,*/*;q=0.9,application/openmetrics-text;q=0.5",
                   Format::openmetrics},
        AcceptCase{"AnyText", "text/*", Format::text},
        AcceptCase{"ZeroQ", "application/openmetrics-text;q=0", Format::text},
        AcceptCase{"ZeroQWithDigits", "application/openmetrics-text;q=0.000,text/plain;q=0.001", Format::text},
        AcceptCase{"EverythingRefused", "*/*;q=0", Format::text},
        AcceptCase{"BrokenQ", "application/openmetrics-text;q=high", Format::text},
        AcceptCase{"EmptyQ", "application/openmetrics-text;q=", Format::text},
        AcceptCase{"NanQ", "application/openmetrics-text;q=nan", Format::text},
        AcceptCase{"NegativeQ", "application/openmetrics-text;q=-1", Format::text},
        AcceptCase{"Spaces", "  application/openmetrics-text ;\t version = 1.0.0 ; q = 0.5 , text/plain;q=0.4",
                   Format::openmetrics},
        AcceptCase{"Unknown", "image/png", Format::text}, AcceptCase{"Garbage", ";;,=,;q,\",", Format::text}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(ContentType, NamesVersionAndCharset) {
  EXPECT_EQ(content_type(Format::text), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(content_type(Format::openmetrics), "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_EQ(content_type(Format::protobuf),
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited");
}

TEST(Negotiate, GivesTheFormatThatItsOwnContentTypeNames) {
  for (const auto format : {Format::text, Format::openmetrics, Format::protobuf})
    EXPECT_EQ(negotiate(content_type(format)), format);
}

}  // namespace
}  // namespace midst::metrics
