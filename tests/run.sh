#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test: builds what is installed (release), runs under ThreadSanitizer
# what has threads of its own (the push client), then the whole suite under AddressSanitizer and UBSan. Ends with the
# summary of the last run.
#   tests/run.sh [PRESET…]   only these presets of CMakePresets.json: release, tsan, asan, dev
set -euo pipefail
. "$(dirname "$0")/../infra/common.sh"
cd "$ROOT"
mkdir -p build
install_packages infra/packages-{build,servers}.txt tests/packages.txt
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:die_after_fork=0  # forked clients start threads of their own
[ $# -gt 0 ] || set -- release tsan asan

run_threads() {
  configure_and_build tsan push_test push_integration_test
  say "testing (tsan)"
  for program in push_test push_integration_test; do
    timeout 300 "build/tsan/bin/$program" --gtest_brief=1 || fail "$program failed under ThreadSanitizer; again with build/tsan/bin/$program"
  done
}

run_all() {
  local preset=$1 began=$SECONDS
  configure_and_build "$preset"
  say "testing ($preset); built in $((SECONDS - began)) s"
  ctest --test-dir "build/$preset" -j3 --output-on-failure --no-tests=error ||
    fail "tests failed ($preset); again with: ctest --test-dir build/$preset --rerun-failed --output-on-failure"
}

for preset in "$@"; do
  case $preset in
    release) configure_and_build release midst-agent midst-api ;;
    tsan) run_threads ;;
    *) run_all "$preset" ;;
  esac
done
