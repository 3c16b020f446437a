# R1 to R3: the rpm packages. They are run on Debian only, with rpm's own database, and held to a list of what RHEL 9 has.

RPMS=$WORK/rpm

stage_R1() {
  local began=$SECONDS
  "$ROOT/packaging/build_rpm.sh"
  did "built in $((SECONDS - began)) s: $(cd "$RPMS" && ls ./*.rpm | sed 's|^\./||' | paste -sd' ')"
  did "brought along in midst-libs: $(rpm -qlp "$RPMS"/midst-libs-*.rpm | sed -n 's|.*/midst/||p' | paste -sd' ')"
  rpmlint -c "$ROOT/packaging/rpm/rpmlint.toml" "$RPMS"/*.rpm >"$RUN/lint" 2>&1 || true
  cat "$RUN/lint"
  ! grep -qE ': [EW]: ' "$RUN/lint" || fail "rpmlint: $(grep -E ': [EW]: ' "$RUN/lint" | head -5)"
  grep -q 'packages and .* checked' "$RUN/lint" || fail "rpmlint did not run"
  did "rpmlint: $(grep 'packages and .* checked' "$RUN/lint" | tr -d =)"
}

in_rpm() { inside rpm --dbpath /var/lib/rpm --force-debian "$@"; }

stage_R2() {
  want_root
  want_file "$STACK" P0
  want_file "$RPMS" R1
  # The next release is the same build under another number, with one line more in the settings.
  local top=$WORK/rpmbuild
  cp -a "$top/BUILDROOT" "$RUN/next"
  sed -i '1s/.*/# Settings as release 2 has them./' "$RUN"/next/*/etc/midst-agent/midst-agent.toml
  rpmbuild -bb --short-circuit --noclean --nodeps --define "_topdir $top" --define 'smoke_release 2' --buildroot "$(echo "$RUN"/next/*)" \
    --define "_rpmdir $RUN/rpms" "$top/SPECS/midst-agent.spec" >"$RUN/rpmbuild.log" 2>&1 || { tail -20 "$RUN/rpmbuild.log"; fail "the next release cannot be made"; }
  boot --bind-ro="$RPMS:/rpms" --bind-ro="$RUN/rpms/x86_64:/next" --bind-ro="$ROOT/packaging/smoke:/smoke" --bind-ro="$ROOT/bindings/python:/bindings" ||
    { cat "$RUN"/*.console; skip "no systemd boots in a container here"; }
  inside sh -c 'rpm --dbpath /var/lib/rpm --force-debian -i --nodeps /rpms/midst-agent-0.1.0-1.*.rpm /rpms/midst-libs-*.rpm /rpms/midst-api-*.rpm /rpms/libmidst-push-0*.rpm'
  [ "$(inside stat -c '%a %U:%G' /etc/midst-agent/midst-agent.toml)" = '640 root:midst-agent' ] || fail "the settings have the wrong owner"
  inside sh -c 'systemctl enable --now midst-agent && systemctl start midst-api && ldconfig'
  until_true 10 "redis_up 1" up_is redis_up 1 || fail "redis_up is not 1: $(journal | tail -3)"
  inside sh -c '! ldd /usr/bin/midst-agent | grep -E "libpq|libspdlog|libfmt" | grep -v /usr/lib64/midst/' || fail "the system's libraries are used, not those that came along"
  did "installed: users made, active, redis_up 1, with its own libpq and others from /usr/lib64/midst"
  [ -z "$(in_rpm -V midst-agent midst-libs midst-api)" ] || fail "rpm -V: $(in_rpm -V midst-agent midst-libs midst-api)"
  inside sed -i 's/^timeout = .*/timeout = "8s"/' /etc/midst-agent/midst-agent.toml
  [ "$(in_rpm -V midst-agent | grep -c .)" = 1 ] || fail "rpm -V does not show just the edited settings: $(in_rpm -V midst-agent)"
  did "rpm -V: clean, then shows just the edited midst-agent.toml"
  local pid
  pid=$(property MainPID)
  pushing 0.002
  inside sh -c 'rpm --dbpath /var/lib/rpm --force-debian -U --nodeps /next/midst-agent-0.1.0-2.*.rpm /next/midst-libs-*.rpm /next/midst-api-*.rpm /next/libmidst-push-0*.rpm'
  until_true 15 "the new process" new_process "$pid" || fail "the upgrade did not restart the service"
  inside grep -qx 'timeout = "8s"' /etc/midst-agent/midst-agent.toml && inside test -e /etc/midst-agent/midst-agent.toml.rpmnew || fail "%config(noreplace) does not hold"
  did "upgraded: restarted, edited settings kept, .rpmnew beside them"
  nothing_lost "meanwhile"
  inside systemctl stop midst-api
  in_rpm -e midst-agent midst-api
  inside test -e /etc/midst-agent/midst-agent.toml.rpmsave || fail "the edited settings are gone"
  ! inside systemctl is-active midst-agent || fail "still active after it was erased"
  ! inside test -e /lib/systemd/system/midst-agent.service || fail "the unit is still there"
  [ -z "$(inside systemctl --failed --no-legend)" ] || fail "failed units: $(inside systemctl --failed --no-legend)"
  did "erased: stopped, units gone, .rpmsave kept, no failed unit"
}

stage_R3() {
  want_file "$RPMS" R1
  local baseline=$ROOT/packaging/rpm/el9-baseline.txt
  mkdir -p "$RUN/all" "$RUN/top/SPECS" "$RUN/db"
  local file
  for file in "$RPMS"/*.x86_64.rpm; do (cd "$RUN/all" && rpm2cpio "$file" | cpio -idm --quiet); done
  # What every program and library asks for, by version, against the newest that is there.
  find "$RUN/all" -type f -exec sh -c 'head -c4 "$1" | grep -q ELF' - {} \; -print >"$RUN/elf"
  python3 "$ROOT/packaging/smoke/versions.py" "$baseline" "$RUN/all/usr/lib64/midst" <"$RUN/elf" >"$RUN/versions" || fail "$(cat "$RUN/versions")"
  did "$(cat "$RUN/versions")"
  # A package that provides just that, and a transaction that must resolve with it alone.
  {
    printf 'Name: el9-baseline\nVersion: 9\nRelease: 1\nSummary: x\nLicense: MIT\n'
    python3 "$ROOT/packaging/smoke/versions.py" --provides "$baseline"
    printf 'Provides: /bin/sh, /usr/bin/sh, systemd, /usr/bin/pkg-config, cmake-filesystem, cmake-filesystem(x86-64), rtld(GNU_HASH)\n%%description\nx\n%%files\n'
  } >"$RUN/top/SPECS/el9.spec"
  rpmbuild -bb --define "_topdir $RUN/top" "$RUN/top/SPECS/el9.spec"
  rpm --dbpath "$RUN/db" --initdb
  rpm --dbpath "$RUN/db" --force-debian -i --test --nodeps "$RUN"/top/RPMS/*/el9-baseline-*.rpm
  rpm --dbpath "$RUN/db" --force-debian -i --justdb "$RUN"/top/RPMS/*/el9-baseline-*.rpm
  rpm --dbpath "$RUN/db" --force-debian -i --test "$RPMS"/*.x86_64.rpm || fail "an rpm asks for what the baseline lacks"
  did "rpm -i --test resolves all packages against the baseline, without --nodeps"
}
