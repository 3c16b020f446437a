"""python3-statsd over its Unix stream: python_statsd.py PATH PREFIX"""
import sys

import statsd

path, prefix = sys.argv[1:]
client = statsd.UnixSocketStatsClient(socket_path=path, prefix=prefix)
with client.pipeline() as pipe:
    for _ in range(100):
        pipe.incr("requests")
    pipe.incr("sampled", 2)
    pipe.timing("took", 250)
client.gauge("level", -5)  # sent as 0 and then -5
client.gauge("level", 8, delta=True)
client.set("users", "ann")
client.set("users", "ann")
client.close()
