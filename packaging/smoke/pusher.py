"""Adds 1 to smoke_pushed_total in every so many seconds, by the push library, until /tmp/enough is there; then leaves the
count in /tmp/pushed."""
import os
import sys
import time

from midst_push import Client

client = Client("/run/midst-agent/push.sock")
counter = client.counter("smoke_pushed_total", "Counted by the smoke test.")
count = 0
while not os.path.exists("/tmp/enough"):
    counter.inc()
    count += 1
    time.sleep(float(sys.argv[1]))
client.close()
with open("/tmp/pushed.part", "w") as file:
    file.write(str(count))
os.rename("/tmp/pushed.part", "/tmp/pushed")
