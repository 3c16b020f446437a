# P9 and P10: what the service's confinement and limits are worth.

stage_P9() {
  machine_with -- --system-call-filter=bpf --capability=CAP_BPF,CAP_PERFMON,CAP_NET_ADMIN
  install_in_machine midst-agent
  inside sh -c 'mkdir -p -m 1777 /var/shared; mkdir -p /home/someone && echo private >/home/someone/diary && chmod -R a+rX /home
    ip address add 10.99.99.99/32 dev lo'
  inside systemd-run -q --unit=elsewhere python3 -m http.server --bind 10.99.99.99 8080 --directory /
  # The same attempts by the same user, first as the unit would let it without its confinement, then within it.
  inside runuser -u midst-agent -- python3 -B /smoke/attack.py >"$RUN/free"
  inside mkdir -p /etc/systemd/system/midst-agent.service.d
  printf '[Service]\nExecStartPost=/bin/sh -c "exec python3 -B /smoke/attack.py >/run/midst-agent/attack"\n' >"$RUN/attack.conf"
  into "$RUN/attack.conf" /etc/systemd/system/midst-agent.service.d/attack.conf
  inside systemctl daemon-reload
  inside systemctl restart midst-agent || { journal | tail; fail "the attack did not run"; }
  inside cat /run/midst-agent/attack >"$RUN/confined"
  paste -d' ' "$RUN/free" "$RUN/confined"
  [ "$(wc -l <"$RUN/confined")" = "$(wc -l <"$RUN/free")" ] && [ "$(wc -l <"$RUN/free")" -ge 12 ] || fail "not every attempt was made"
  local attempt outcome allowed=0
  while read -r attempt outcome; do
    [ "$outcome" != allowed ] || fail "a captured agent could: $attempt"
    ! grep -q "^$attempt allowed" "$RUN/free" || allowed=$((allowed + 1))
    did "$attempt: $outcome (unconfined: $(awk -v a="$attempt" '$1 == a {print $2}' "$RUN/free"))"
  done <"$RUN/confined"
  [ $allowed -ge 5 ] || fail "only $allowed attempts are stopped by the confinement rather than by ordinary rights"
}

# In the machine of this stage the limits of cgroups hold: its folders of the host's own hierarchy are handed to it.
stage_P10() {
  want_root
  local controller
  for controller in memory pids cpu; do
    [ -d "/sys/fs/cgroup/$controller" ] || skip "no hierarchy for $controller in /sys/fs/cgroup: limits would have no effect"
  done
  LIMITS=yes machine_with
  for controller in memory pids cpu; do
    nsenter -t "$LEADER" -m -C -- mount -o remount,bind,rw "/sys/fs/cgroup/$controller" || skip "cgroups cannot be handed to the machine"
  done
  inside systemctl daemon-reexec
  install_in_machine midst-agent
  inside mkdir -p /etc/systemd/system/midst-agent.service.d
  printf '[Service]\nMemoryMax=96M\nTasksMax=8\n' >"$RUN/limits.conf"
  into "$RUN/limits.conf" /etc/systemd/system/midst-agent.service.d/limits.conf
  inside systemctl daemon-reload
  inside systemctl restart midst-agent
  inside systemd-run -q --wait -p MemoryMax=40M -p MemorySwapMax=0 python3 -c 'x = b"x" * 200_000_000' && skip "MemoryMax= has no effect here"
  inside python3 -B /smoke/many_series.py /run/midst-agent/dsd-stream.sock 100000 || fail "the pushing program failed: $(journal | tail -3)"
  until_true 30 "100 000 series" series_are 100000 || fail "series on the page: $(page | grep -c ^smoke_series_)"
  [ "$(property NRestarts)" = 0 ] && [ "$(property ActiveState)" = active ] || fail "the agent was ended: $(property Result)"
  did "MemoryMax=96M, TasksMax=8 and 100 000 pushed series: all on the page, never ended; resident $(page | awk '$1 == "process_resident_memory_bytes" {printf "%.1f MiB", $2 / 1048576}')"
}
series_are() { [ "$(page | grep -c '^smoke_series_[0-9]*_total{')" = "$1" ]; }
