#!/usr/bin/env bash
# Ends just what infra/up.sh started, and removes its data. Safe to run twice.
set -euo pipefail
. "$(dirname "$0")/common.sh"
RUN=${MIDST_RUN_DIR:-$ROOT/build/run}
[ -d "$RUN" ] || { say "nothing was started"; exit 0; }
stop_all
# Data of servers that ran as another user stands outside of the run folder; the link is up.sh's own.
if [ -L "$RUN/data" ]; then
  data=$(readlink "$RUN/data")
  case $data in /tmp/midst-run-*) rm -rf "$data" ;; esac
fi
rm -rf "$RUN"
say "down"
