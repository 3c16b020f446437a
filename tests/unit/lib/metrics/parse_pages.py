"""Reads the golden pages with parsers that we did not write: the Python client's text and OpenMetrics parsers, protobuf's
own decoder over a schema written out here, and promtool. encode_test.cpp holds the goldens to what the encoders write."""

import math
import pathlib
import re
import subprocess
import sys
import unittest

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client import parser as text_parser

GOLDEN = pathlib.Path(__file__).resolve().parents[3] / "golden" / "encode"

# message: [(field, number, type, is repeated)]; types as in metrics.proto of prometheus/client_model.
SCHEMA = {
    "LabelPair": [("name", 1, "string"), ("value", 2, "string")],
    "Gauge": [("value", 1, "double")],
    "Untyped": [("value", 1, "double")],
    "Timestamp": [("seconds", 1, "int64"), ("nanos", 2, "int32")],
    "Exemplar": [("label", 1, "*LabelPair"), ("value", 2, "double"), ("timestamp", 3, "Timestamp")],
    "Counter": [("value", 1, "double"), ("exemplar", 2, "Exemplar"), ("created_timestamp", 3, "Timestamp")],
    "Quantile": [("quantile", 1, "double"), ("value", 2, "double")],
    "Summary": [("sample_count", 1, "uint64"), ("sample_sum", 2, "double"), ("quantile", 3, "*Quantile"),
                ("created_timestamp", 4, "Timestamp")],
    "Bucket": [("cumulative_count", 1, "uint64"), ("cumulative_count_float", 4, "double"), ("upper_bound", 2, "double"),
               ("exemplar", 3, "Exemplar")],
    "BucketSpan": [("offset", 1, "sint32"), ("length", 2, "uint32")],
    "Histogram": [("sample_count", 1, "uint64"), ("sample_count_float", 4, "double"), ("sample_sum", 2, "double"),
                  ("bucket", 3, "*Bucket"), ("created_timestamp", 15, "Timestamp"), ("schema", 5, "sint32"),
                  ("zero_threshold", 6, "double"), ("zero_count", 7, "uint64"), ("zero_count_float", 8, "double"),
                  ("negative_span", 9, "*BucketSpan"), ("negative_delta", 10, "*sint64"),
                  ("negative_count", 11, "*double"), ("positive_span", 12, "*BucketSpan"),
                  ("positive_delta", 13, "*sint64"), ("positive_count", 14, "*double")],
    "Metric": [("label", 1, "*LabelPair"), ("gauge", 2, "Gauge"), ("counter", 3, "Counter"), ("summary", 4, "Summary"),
               ("untyped", 5, "Untyped"), ("histogram", 7, "Histogram"), ("timestamp_ms", 6, "int64")],
    "MetricFamily": [("name", 1, "string"), ("help", 2, "string"), ("type", 3, "int32"), ("metric", 4, "*Metric"),
                     ("unit", 5, "string")],
}
COUNTER, GAUGE, SUMMARY, UNTYPED, HISTOGRAM = range(5)
SCALAR_FIELDS = {COUNTER: "counter", GAUGE: "gauge", UNTYPED: "untyped"}


def family_class():
    """Builds the MetricFamily class from SCHEMA."""
    file = descriptor_pb2.FileDescriptorProto(name="metrics.proto", package="client", syntax="proto2")
    field_type = descriptor_pb2.FieldDescriptorProto
    for message_name, fields in SCHEMA.items():
        message = file.message_type.add(name=message_name)
        for name, number, kind in fields:
            label = field_type.LABEL_REPEATED if kind.startswith("*") else field_type.LABEL_OPTIONAL
            kind = kind.lstrip("*")
            field = message.field.add(name=name, number=number, label=label)
            if kind in SCHEMA:
                field.type, field.type_name = field_type.TYPE_MESSAGE, ".client." + kind
            else:
                field.type = getattr(field_type, "TYPE_" + kind.upper())
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName("client.MetricFamily"))


def delimited(data, message_class):
    """Splits length-delimited messages; an unknown field or a byte too many is an error."""
    messages, at = [], 0
    while at < len(data):
        length = shift = 0
        while True:
            byte, at = data[at], at + 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        message = message_class()
        message.ParseFromString(data[at:at + length])
        again = message_class()
        again.CopyFrom(message)
        again.DiscardUnknownFields()
        assert again.ByteSize() == message.ByteSize(), "unknown field in " + message.name
        messages.append(message)
        at += length
    assert at == len(data)
    return messages


def go_float(value):
    """FormatFloat(v, 'g', -1, 64) of Go, from Python's repr."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    mantissa, exponent = re.fullmatch(r"(.*)e([+-]\d+)", f"{value:.17e}").groups()
    for digits in range(18):
        text = f"{value:.{digits}e}"
        if float(text) == value:
            mantissa, exponent = text.split("e")
            break
    if int(exponent) < -4 or int(exponent) >= 6:
        return f"{mantissa}e{int(exponent):+03d}"
    text = repr(value)
    return text[:-2] if text.endswith(".0") else text


def key(name, labels):
    return name + "{" + ",".join(f"{k}={v!r}" for k, v in sorted(labels.items())) + "}"


def comparable(value):
    return "NaN" if math.isnan(value) else float(value)


def text_series(families):
    """{series: value} of a parsed text page; a double series is an error."""
    series = {}
    for family in families:
        for sample in family.samples:
            name = key(sample.name, sample.labels)
            assert name not in series, name
            series[name] = comparable(sample.value)
    return series


def protobuf_series(families):
    series = {}

    def put(name, labels, value):
        series[key(name, labels)] = comparable(value)

    for family in families:
        for metric in family.metric:
            labels = {pair.name: pair.value for pair in metric.label}
            if family.type in SCALAR_FIELDS:
                put(family.name, labels, getattr(metric, SCALAR_FIELDS[family.type]).value)
                continue
            is_histogram = family.type == HISTOGRAM
            value = metric.histogram if is_histogram else metric.summary
            for bucket in value.bucket if is_histogram else []:
                put(family.name + "_bucket", {**labels, "le": go_float(bucket.upper_bound)}, bucket.cumulative_count)
            for quantile in value.quantile if not is_histogram else []:
                put(family.name, {**labels, "quantile": go_float(quantile.quantile)}, quantile.value)
            put(family.name + "_sum", labels, value.sample_sum)
            put(family.name + "_count", labels, value.sample_count)
    return series


def read_text(name):
    page = (GOLDEN / name).read_text(encoding="utf-8")
    families = list(text_parser.text_string_to_metric_families(page))
    # This parser gives every counter a "_total"; take it back where the page has none.
    short_names = {n for n in re.findall(r"^# TYPE (\S+) counter$", page, re.MULTILINE) if not n.endswith("_total")}
    for family in families:
        if family.name in short_names:
            family.samples = [sample._replace(name=family.name) for sample in family.samples]
    return families


def read_openmetrics(name):
    return list(openmetrics_parser.text_string_to_metric_families((GOLDEN / name).read_text(encoding="utf-8")))


class Pages(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.text = read_text("everything.prom")
        cls.openmetrics = read_openmetrics("everything.om")
        cls.protobuf = delimited((GOLDEN / "everything.pb").read_bytes(), family_class())
        cls.by_name = {family.name: family for family in cls.protobuf}

    def test_every_format_has_the_same_series_and_values(self):
        text = text_series(self.text)
        self.assertEqual(len(text), 67)
        self.assertEqual(text, text_series(self.openmetrics))
        self.assertEqual(text, protobuf_series(self.protobuf))

    def test_openmetrics_announces_each_family_as_its_rules_allow(self):
        announced = {family.name: (family.type, family.unit) for family in self.openmetrics}
        self.assertEqual(announced, {
            "http_requests": ("counter", ""), "process_cpu_seconds": ("counter", "seconds"),
            "commands_processed": ("unknown", ""), "clock_steps_total": ("unknown", ""),
            "queue_total": ("unknown", ""), "queue": ("gauge", ""), "memory_bytes": ("gauge", "bytes"),
            "label_values": ("unknown", ""), "instance": ("info", ""), "role": ("stateset", ""),
            "http_request_duration_seconds": ("histogram", "seconds"), "body_size_bytes": ("histogram", "bytes"),
            "temperature_celsius_bucket": ("unknown", ""), "temperature_celsius_sum": ("unknown", ""),
            "temperature_celsius_count": ("unknown", ""), "gc_pause_seconds": ("summary", "seconds"),
            "redis_latency_percentiles_usec": ("unknown", ""), "redis_latency_percentiles_usec_sum": ("unknown", ""),
            "redis_latency_percentiles_usec_count": ("unknown", "")})

    def test_help_and_label_values_come_back_unescaped(self):
        help_text = "Requests \"done\"\nby C:\\api."
        self.assertEqual(self.openmetrics[0].documentation, help_text)
        self.assertEqual(self.text[0].documentation, help_text)
        self.assertEqual(self.protobuf[0].help, help_text)
        values = ["back\\slash", "\"quoted\"", "two\nlines", "\u00fc \u20ac \U0001F600", "bad\ufffd", "", "},{a=\"b\""]
        for families in (self.openmetrics, self.text):
            family = next(f for f in families if f.name == "label_values")
            self.assertEqual([sample.labels["value"] for sample in family.samples], values)
        self.assertEqual([m.label[0].value for m in self.by_name["label_values"].metric], values)

    def test_openmetrics_exemplars(self):
        exemplars = [(s.name, s.exemplar.labels, s.exemplar.value, s.exemplar.timestamp and float(s.exemplar.timestamp))
                     for f in self.openmetrics for s in f.samples if s.exemplar]
        self.assertEqual(exemplars, [
            ("http_requests_total", {"trace_id": "4bf92f3577b34da6"}, 1, 1700000123.5),
            ("http_request_duration_seconds_bucket", {"trace_id": "b"}, 0.75, 1700000200.125),
            ("http_request_duration_seconds_bucket", {"trace_id": "inf"}, 2e6, None)])

    def test_protobuf_types_and_units(self):
        self.assertEqual({f.name: (f.type, f.unit) for f in self.protobuf}, {
            "http_requests_total": (COUNTER, ""), "process_cpu_seconds_total": (COUNTER, "seconds"),
            "commands_processed": (COUNTER, ""), "clock_steps_total": (COUNTER, ""), "queue_total": (COUNTER, ""),
            "queue": (GAUGE, ""), "memory_bytes": (GAUGE, "bytes"), "label_values": (UNTYPED, ""),
            "instance_info": (GAUGE, ""), "role": (GAUGE, ""),
            "http_request_duration_seconds": (HISTOGRAM, "seconds"), "body_size_bytes": (HISTOGRAM, "bytes"),
            "temperature_celsius": (HISTOGRAM, "celsius"), "gc_pause_seconds": (SUMMARY, "seconds"),
            "redis_latency_percentiles_usec": (SUMMARY, "")})

    def test_protobuf_created_times(self):
        def created(name, field):
            return [(getattr(m, field).created_timestamp.seconds, getattr(m, field).created_timestamp.nanos)
                    if getattr(m, field).HasField("created_timestamp") else None for m in self.by_name[name].metric]
        self.assertEqual(created("http_requests_total", "counter"), [(1700000000, 250000000), None, None])
        self.assertEqual(created("http_request_duration_seconds", "histogram"), [(1700000001, 0), None])
        self.assertEqual(created("gc_pause_seconds", "summary"), [(1700000002, 0), None])

    def test_protobuf_exemplars(self):
        counter = self.by_name["http_requests_total"].metric[0].counter
        self.assertEqual(counter.exemplar.label[0].value, "4bf92f3577b34da6")
        self.assertEqual((counter.exemplar.timestamp.seconds, counter.exemplar.timestamp.nanos), (1700000123, 500000000))
        buckets = self.by_name["http_request_duration_seconds"].metric[0].histogram.bucket
        self.assertEqual([b.upper_bound for b in buckets], [0.005, 1, 2.5, 1e6, math.inf])
        self.assertEqual([b.exemplar.value if b.HasField("exemplar") else None for b in buckets],
                         [None, 0.75, None, None, 2e6])
        self.assertFalse(buckets[4].exemplar.HasField("timestamp"))

    def test_protobuf_native_histograms(self):
        full, empty = (m.histogram for m in self.by_name["body_size_bytes"].metric)
        self.assertEqual((full.schema, full.zero_threshold, full.zero_count), (-1, 1e-9, 4))
        self.assertEqual([(s.offset, s.length) for s in full.positive_span], [(-2, 2), (3, 1)])
        self.assertEqual(list(full.positive_delta), [2, -1, 200])
        self.assertEqual((len(full.negative_span), len(full.negative_delta)), (0, 0))
        self.assertEqual([(s.offset, s.length) for s in empty.positive_span], [(0, 0)])
        classic = self.by_name["http_request_duration_seconds"].metric[0].histogram
        self.assertFalse(classic.HasField("schema"))

    def test_promtool_has_nothing_to_say_of_a_well_named_page(self):
        checked = subprocess.run(["promtool", "check", "metrics"], input=(GOLDEN / "well_named.prom").read_bytes(),
                                 capture_output=True, check=False)
        self.assertEqual((checked.returncode, checked.stdout, checked.stderr), (0, b"", b""))

    def test_promtool_parses_the_page_with_everything(self):
        checked = subprocess.run(["promtool", "check", "metrics"], input=(GOLDEN / "everything.prom").read_bytes(),
                                 capture_output=True, check=False)
        self.assertEqual(checked.returncode, 3, checked.stderr)  # 3: parsed, with remarks on names; 1: not parsed
        self.assertNotIn(b"error while linting", checked.stderr)

    def test_well_named_page_has_the_same_series_in_both_texts(self):
        self.assertEqual(text_series(read_text("well_named.prom")), text_series(read_openmetrics("well_named.om")))


if __name__ == "__main__":
    sys.exit(unittest.main())
