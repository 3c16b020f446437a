# A booted systemd in a root of its own: a container with its own network, process numbers and cgroups, on a throw-away
# layer above $STACK, so that each boot begins with the same machine. Source it; needs $RUN and root.

# boot [OPTION of systemd-nspawn…]: sets LEADER, the process number of the machine's systemd. With LIMITS=yes it has groups in
# the host's own hierarchies, where limits have an effect.
boot() {
  export LIMITS=${LIMITS-}
  MACHINE=midst-$$-$((MACHINES += 1))
  unshare -m bash -c '
    mount --make-rprivate /
    if [ -n "$LIMITS" ]; then
      for hierarchy in memory pids cpu unified; do
        mkdir -p "/sys/fs/cgroup/$hierarchy/$1" && echo $$ >"/sys/fs/cgroup/$hierarchy/$1/cgroup.procs"
      done
    else
      umount -Rl /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup
      mkdir -p "/sys/fs/cgroup/$1" && echo $$ >"/sys/fs/cgroup/$1/cgroup.procs"
    fi
    root=$2; name=$1; shift 2
    exec systemd-nspawn -q -D "$root" --machine="$name" --boot --register=no --keep-unit --console=pipe \
      --volatile=overlay --private-network "$@"' \
    boot "$MACHINE" "$STACK" "$@" >"$RUN/$MACHINE.console" 2>&1 </dev/null &
  NSPAWN=$!
  until_true 20 "the machine's systemd" leader_is_up || return 1
  until_true 40 "the machine to be up" machine_is_up
}
leader_is_up() { LEADER=$(pgrep -P "$NSPAWN" -x systemd) && [ -n "$LEADER" ]; }
machine_is_up() {
  case $(inside systemctl is-system-running 2>/dev/null) in running | degraded) return 0 ;; *) return 1 ;; esac
}

# inside COMMAND…: in the machine, as root, for at most 60 s.
inside() {
  timeout -k 5 60 nsenter -t "$LEADER" -m -u -i -n -p -C --wdns=/ -- \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

# into FILE PATH: copies it into the machine.
into() { install -D -m "${3:-644}" "$1" "/proc/$LEADER/root$2"; }

shut_down() {
  [ -n "${NSPAWN-}" ] || return 0
  inside systemctl poweroff >/dev/null 2>&1 || true
  for _ in $(seq 100); do kill -0 "$NSPAWN" 2>/dev/null || break; sleep 0.1; done
  kill -9 "$NSPAWN" 2>/dev/null || true
  wait "$NSPAWN" 2>/dev/null || true
  find /sys/fs/cgroup -depth -type d -path "*/$MACHINE*" -exec rmdir {} \; 2>/dev/null || true
  NSPAWN='' LEADER=''
}
