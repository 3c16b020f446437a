# Shared by infra/up.sh, infra/down.sh and tests/run.sh: messages, packages, private servers. Source it from bash.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s==>%s %s\n' "${BOLD-}" "${PLAIN-}" "$*"; }
fail() { printf '%serror:%s %s\n' "${BOLD-}" "${PLAIN-}" "$*" >&2; exit 1; }
if [ -t 1 ]; then BOLD=$(printf '\033[1m'); PLAIN=$(printf '\033[0m'); fi

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

# install_packages FILE…: installs what the lists name and the machine lacks. Servers that come with a package are not
# started: a policy of "no" stands for as long as the installation runs, unless the machine has a policy of its own.
install_packages() {
  local wanted missing policy=/usr/sbin/policy-rc.d
  wanted=$(grep -hv '^#' "$@" | sort -u)
  # shellcheck disable=SC2086
  missing=$(comm -23 <(printf '%s\n' $wanted) \
    <(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' $wanted 2>/dev/null | awk '$1 == "ii" {print $2}' | sort -u))
  [ -z "$missing" ] && { say "packages: nothing to install"; return; }
  # shellcheck disable=SC2086
  say "installing:" $missing
  as_root true || fail "installing packages needs root; run this as root, or install them yourself: $(echo $missing)"
  local own_policy=
  if [ ! -e $policy ]; then
    own_policy=yes
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null && as_root chmod 755 $policy
  fi
  local code=0
  { as_root apt-get update -qq &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } \
    >"$ROOT/build/apt.log" 2>&1 || code=$?
  [ -n "$own_policy" ] && as_root rm -f $policy
  [ $code = 0 ] || { tail -20 "$ROOT/build/apt.log" >&2; fail "apt-get could not install the packages; see build/apt.log"; }
}

# configure_and_build PRESET [TARGET…]
configure_and_build() {
  local preset=$1; shift
  # The same object may be taken from the cache whatever the build folder is called.
  export CCACHE_NOHASHDIR=1
  say "configuring ($preset)"
  cmake --preset "$preset" -S "$ROOT" >"$ROOT/build/configure-$preset.log" 2>&1 ||
    { tail -20 "$ROOT/build/configure-$preset.log" >&2; fail "cmake failed; see build/configure-$preset.log"; }
  say "building ($preset); the first time takes some minutes"
  cmake --build "$ROOT/build/$preset" ${*:+--target "$@"} || fail "the build failed; the first error above says where"
}

# free_port: a TCP port of 127.0.0.1 on which nobody listens.
free_port() {
  local port
  for _ in $(seq 200); do
    port=$((20000 + RANDOM % 12000))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then echo $port; return; fi
  done
  fail "no free port between 20000 and 32000"
}

# wait_for SECONDS WHAT COMMAND…: until the command succeeds.
wait_for() {
  local end=$((SECONDS + $1)) what=$2; shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || fail "$what did not come up; see its log in $RUN"
    sleep 0.1
  done
}

start_time_of() { awk '{sub(/.*\) /, ""); print $20}' "/proc/$1/stat" 2>/dev/null; }

# start NAME COMMAND…: in the background, log in $RUN/NAME.log, remembered in $RUN/pids with its start time, so that a
# process number that was given to somebody else is never mistaken for ours.
start() {
  local name=$1; shift
  "$@" >>"$RUN/$name.log" 2>&1 </dev/null &
  local pid=$!
  disown
  printf '%s %s %s\n' "$name" "$pid" "$(start_time_of $pid)" >>"$RUN/pids"
}

# stop_all: ends what `start` began in $RUN, last first, and nothing else.
stop_all() {
  [ -f "$RUN/pids" ] || return 0
  local name pid started
  while read -r name pid started; do
    [ "$(start_time_of "$pid")" = "$started" ] || continue
    say "stopping $name ($pid)"
    kill "$pid" 2>/dev/null || as_root kill "$pid"
    for _ in $(seq 150); do [ "$(start_time_of "$pid")" = "$started" ] || continue 2; sleep 0.1; done
    say "$name does not end; killing it"
    kill -9 "$pid" 2>/dev/null || as_root kill -9 "$pid"
  done < <(tac "$RUN/pids")
  rm -f "$RUN/pids"
}

# remove_run: the run folder, and the data of servers that ran as another user, which stands outside of it.
remove_run() {
  local data
  data=$(readlink "$RUN/data" 2>/dev/null || true)
  case $data in /tmp/midst-run-*) rm -rf "$data" ;; esac
  rm -rf "$RUN"
}
