"""datadogpy from a wheel: datadogpy.py WHEEL ADDRESS PREFIX, where ADDRESS is a path or unixstream://PATH"""
import sys

wheel, address, prefix = sys.argv[1:]
sys.path.insert(0, wheel)
from datadog.dogstatsd import DogStatsd  # noqa: E402  what it is imported from is the first argument

client = DogStatsd(socket_path=address, namespace=prefix, telemetry_min_flush_interval=0, disable_buffering=False,
                   constant_tags=["env:test"])
for _ in range(100):
    client.increment("requests", tags=["route:/a"])
client.gauge("level", 42.5)
client.histogram("size", 7, tags=["kind:x"])
client.distribution("spread", 3)
client.timing("took", 250)
client.set("users", "ann")
client.event("deployed", "version 2", alert_type="error")
client.service_check("db", DogStatsd.CRITICAL, message="no | answer")
client.flush()
client.close_socket()
