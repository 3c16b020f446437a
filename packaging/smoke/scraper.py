"""Scrapes URL as fast as it answers, each time over a new connection, until FILE.enough is there; then leaves the numbers of
scrapes and of failed ones in FILE."""
import os
import sys
import urllib.request

url, file = sys.argv[1:]
scrapes = failed = 0
while not os.path.exists(file + ".enough"):
    scrapes += 1
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            complete = answer.status == 200 and b"midst_agent_build_info" in answer.read()
        failed += not complete
    except OSError as error:
        failed += 1
        print(error, file=sys.stderr)
    if scrapes == 1:
        open(file + ".begun", "w").close()
with open(file + ".part", "w") as report:
    report.write(f"{scrapes} {failed}\n")
os.rename(file + ".part", file)
