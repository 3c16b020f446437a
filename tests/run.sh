#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test: the whole suite as a debug build and again under
# AddressSanitizer and UBSan, and under ThreadSanitizer what has threads. Ends with the summary of the last run.
#   tests/run.sh [PRESET…]   only these presets of CMakePresets.json (dev asan tsan)
set -euo pipefail
. "$(dirname "$0")/../infra/common.sh"
cd "$ROOT"
mkdir -p build
install_packages infra/packages-{build,servers}.txt tests/packages.txt
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:suppressions=$ROOT/tests/tsan.supp
[ $# -gt 0 ] || set -- tsan asan dev

run_preset() {
  local preset=$1 began=$SECONDS
  if [ "$preset" = tsan ]; then
    configure_and_build tsan push_client_test
  else
    configure_and_build "$preset"
  fi
  say "testing ($preset); built in $((SECONDS - began)) s"
  local only=()
  [ "$preset" = tsan ] && only=(-R '^PushClient')
  ctest --test-dir "build/$preset" -j2 --output-on-failure --no-tests=error "${only[@]}" ||
    fail "tests failed ($preset); again with: ctest --test-dir build/$preset --rerun-failed --output-on-failure"
}
for preset in "$@"; do run_preset "$preset"; done
