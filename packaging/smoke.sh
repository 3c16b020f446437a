#!/usr/bin/env bash
# Builds the packages and images and tries them as an operator would: on a booted systemd in a container, with real
# servers. Needs root; installs packaging/packages.txt. Prints what each stage did, ends with a table; a stage that was
# skipped has not passed. Exit code 1 when one failed.
#   packaging/smoke.sh                all stages
#   packaging/smoke.sh P5 P7 R1       only these
#   --no-cache                        P1 compiles its second build anew instead of taking objects from ccache
#   --list                            what the stages are
# Takes about 10 minutes after the first time, which builds roots (1 GB below build/package) and compiles.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
WORK=$ROOT/build/package
CACHE=$WORK/cache
DEBS=$WORK/deb
STACK=$CACHE/stack
LOGS=$WORK/smoke
MACHINES=0 SKIPPED=77
. "$ROOT/infra/common.sh"
. "$ROOT/packaging/copy_tree.sh"
for part in machine roots debs service upgrade confinement rpms images; do . "$ROOT/packaging/smoke/$part.sh"; done

STAGES='P0 roots: Debian with systemd and the servers, and a bare one
P1 build: the Debian packages, twice, and the same bytes both times
P2 lintian: no errors, no warnings
P3 unit, offline: exposure at most 1.2
P4 sd_notify: what the daemon says to systemd
P5 install from a signed repository: every kind of target up, Prometheus scrapes, an API of another user pushes
P6 crashes: SIGKILL, SIGSTOP, broken configuration, databases gone; nothing pushed is lost
P7 upgrade under load: no failed scrape, no lost push, edited settings kept
P8 disable, remove, purge, piuparts: what stays and what goes
P9 confinement: what a captured agent could not do
P10 limits: memory and tasks bounded by cgroups while many series are pushed
P11 secrets: credentials, plain and encrypted, seen nowhere
R1 build: the rpm packages, rpmlint
R2 install, upgrade, erase: the rpm packages under systemd
R3 what an rpm asks of RHEL 9: names and symbol versions
D1 image of the agent: size, non-root, read-only, health, SIGTERM
D2 compose: API and agent share a socket folder
D3 pod: the Kubernetes manifest, played
D4 image without a shell'
limit_of() { case $1 in P0) echo 900 ;; P1 | R1) echo 7200 ;; P8 | D*) echo 600 ;; *) echo 300 ;; esac; }

# What a stage may say: did "what was seen"; skip "why"; fail "what is wrong".
did() { printf '     %s\n' "$*" >&3; }
skip() { printf '     SKIP %s\n' "$*" >&3; exit $SKIPPED; }
fail() { printf '     FAILED %s\n' "$*" >&3; exit 1; }
# until_true SECONDS WHAT COMMAND…
until_true() {
  local end=$((SECONDS + $1)) what=$2; shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || { echo "waited in vain for $what" >&2; return 1; }
    sleep 0.1
  done
}
want_root() { [ "$(id -u)" = 0 ] || skip "needs root"; }
want_file() { [ -e "$1" ] || skip "no ${1#"$ROOT"/}: $2 comes first"; }

run_stage() {
  exec 3>&1
  RUN=$(mktemp -d /tmp/midst-smoke-XXXXXX)
  trap 'code=$?; set +e; shut_down; end_images; rm -rf "$RUN"; exit $code' EXIT
  trap 'exit 143' TERM INT
  "stage_$1" >"$LOGS/$1.log" 2>&1
}

chosen=() no_cache=
while [ $# -gt 0 ]; do
  case $1 in
    --list) echo "$STAGES"; exit 0 ;;
    --no-cache) no_cache=--no-cache ;;
    --stage) no_cache=${3-}; run_stage "$2"; exit 0 ;;
    P[0-9]* | R[0-9]* | D[0-9]*) grep -q "^$1 " <<<"$STAGES" || { echo "no stage $1; see --list" >&2; exit 64; }; chosen+=("$1") ;;
    *) echo "unknown option $1; see the head of packaging/smoke.sh" >&2; exit 64 ;;
  esac
  shift
done
mkdir -p "$LOGS" "$CACHE"
[ ${#chosen[@]} -gt 0 ] || mapfile -t chosen < <(cut -d' ' -f1 <<<"$STAGES")
(install_packages "$ROOT"/infra/packages-build.txt "$ROOT/packaging/packages.txt") || exit 1

table='' failed=
for stage in "${chosen[@]}"; do
  title=$(grep "^$stage " <<<"$STAGES" | cut -d' ' -f2-)
  say "$stage $title"
  began=$SECONDS code=0
  timeout -k 30 "$(limit_of "$stage")" bash "$0" --stage "$stage" "$no_cache" || code=$?
  case $code in
    0) verdict=passed ;;
    "$SKIPPED") verdict=SKIPPED ;;
    124 | 137) verdict='FAILED (too slow)' failed=yes ;;
    *) verdict=FAILED failed=yes ;;
  esac
  [ "${verdict%% *}" != FAILED ] || { echo "     the end of ${LOGS#"$ROOT"/}/$stage.log:"; tail -15 "$LOGS/$stage.log" | sed 's/^/       /'; }
  table+=$(printf '  %-4s %-18s %4s s  %s' "$stage" "$verdict" $((SECONDS - began)) "$title")$'\n'
done
printf '\n%s' "$table"
[ -z "$failed" ]
