# P7 and P8: what an upgrade and a removal do to a service that is in use.

stage_P7() {
  machine_with 0.1.1
  install_in_machine midst-agent=0.1.0 midst-api=0.1.0 libmidst-push0
  # As README.Debian tells it for those who want no scrape to fail.
  inside systemctl stop midst-agent
  inside systemctl enable --now midst-agent-web.socket
  inside systemctl start midst-agent
  inside sed -i 's/^timeout = .*/timeout = "8s"/' /etc/midst-agent/midst-agent.toml
  local before pid
  before=$(inside sha256sum /etc/midst-agent/midst-agent.toml)
  pid=$(property MainPID)
  pushing 0.001
  inside systemd-run -q --unit=scraper python3 -B /smoke/scraper.py http://127.0.0.1:9464/metrics /tmp/scrapes
  until_true 10 "the first scrape" inside test -e /tmp/scrapes.begun
  inside apt-get -y -qq -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold dist-upgrade
  [ "$(inside dpkg-query -W -f '${Version}' midst-agent)" = 0.1.1 ] || fail "not upgraded"
  until_true 10 "the new process" new_process "$pid" || fail "the upgrade did not restart the service"
  sleep 2  # of load on the new process
  inside touch /tmp/scrapes.enough
  until_true 20 "the scraping program to end" inside test -s /tmp/scrapes
  local scrapes failed
  read -r scrapes failed < <(inside cat /tmp/scrapes)
  [ "$failed" = 0 ] || fail "$failed of $scrapes scrapes failed"
  did "0.1.0 to 0.1.1: $scrapes scrapes meanwhile, 0 failed; the service was restarted"
  nothing_lost "meanwhile"
  [ "$(inside sha256sum /etc/midst-agent/midst-agent.toml)" = "$before" ] || fail "the upgrade overwrote edited settings"
  inside test -e /etc/midst-agent/midst-agent.toml.dpkg-dist || fail "the new settings are not there beside the edited ones"
  [ "$(inside stat -c '%a %U:%G' /etc/midst-agent/midst-agent.toml)" = '640 root:midst-agent' ] || fail "the settings lost their owner"
  did "edited midst-agent.toml kept with its owner and mode, the new one beside it as .dpkg-dist"
}
new_process() { [ "$(property ActiveState)" = active ] && [ "$(property MainPID)" != "$1" ] && [ "$(property MainPID)" != 0 ]; }

stage_P8() {
  machine_with
  install_in_machine midst-agent midst-api
  inside systemctl disable --now midst-agent
  inside apt-get -y -qq --reinstall install midst-agent
  [ "$(inside systemctl is-enabled midst-agent)/$(property ActiveState)" = disabled/inactive ] || fail "a reinstallation enabled or started it again"
  inside systemctl mask midst-agent
  inside apt-get -y -qq --reinstall install midst-agent
  [ "$(property ActiveState)" = inactive ] || fail "a reinstallation started a masked unit"
  inside systemctl unmask midst-agent
  did "disabled or masked, then installed again: stays as it was"
  inside systemctl enable --now midst-agent-web.socket midst-agent-push.socket
  inside systemctl enable --now midst-agent
  inside apt-get -y -qq remove midst-agent midst-api
  ! inside curl -fsS --max-time 2 -o /dev/null http://127.0.0.1:9464/metrics || fail "something still listens after the removal"
  ! inside systemctl cat midst-agent || fail "the unit is still there after the removal"
  inside test -e /etc/midst-agent/midst-agent.toml || fail "the removal took the settings"
  ! inside test -e /run/midst-agent || fail "the removal left /run/midst-agent"
  did "removed: units and sockets gone, settings kept"
  inside apt-get -y -qq purge midst-agent midst-api
  local left
  left=$(inside sh -c 'find / -xdev \( -path /proc -o -path /sys -o -path /repo -o -path /smoke -o -path /bindings -o -path /var/log \
    -o -path /var/lib/apt -o -path /var/cache \) -prune -o -name "*midst*" -print; dpkg-statoverride --list | grep midst' || true)
  [ -z "$left" ] || fail "left after purge: $left"
  inside getent passwd midst-agent || fail "the user is gone, and its number may be given to another"
  [ -z "$(inside systemctl --failed --no-legend)" ] || fail "failed units: $(inside systemctl --failed --no-legend)"
  did "purged: nothing left but the users, no failed unit"
  want_file "$CACHE/base.tar.gz" P0
  command -v piuparts >/dev/null || skip "no piuparts"
  local name
  name=$(. /etc/os-release && echo "$VERSION_CODENAME")
  mkdir -p "$RUN/piuparts"
  timeout 400 piuparts --basetgz="$CACHE/base.tar.gz" -d "$name" --tmpdir="$RUN/piuparts" --no-eatmydata --warn-on-leftovers-after-purge \
    "$DEBS"/midst-agent_*.deb "$DEBS"/midst-api_*.deb "$DEBS"/libmidst-push*_*.deb >"$LOGS/piuparts.log" 2>&1 ||
    { tail -30 "$LOGS/piuparts.log"; fail "piuparts: $(grep -E 'ERROR|FAIL' "$LOGS/piuparts.log" | head -3)"; }
  did "piuparts: $(grep -oE 'PASS: .*' "$LOGS/piuparts.log" | tail -1)"
}
