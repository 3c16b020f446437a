#!/usr/bin/env bash
# Ends just what infra/up.sh started, and removes its data. Safe to run twice.
set -euo pipefail
. "$(dirname "$0")/common.sh"
RUN=${MIDST_RUN_DIR:-$ROOT/build/run}
[ -d "$RUN" ] || { say "nothing was started"; exit 0; }
stop_all
remove_run
say "down"
