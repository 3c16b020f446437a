# P5, P6 and P11: the installed service with real servers.

# repository VERSION…: $RUN/repo, signed by a key of its own. The first version is what was built, further ones are the same
# files under another version, with one line more in the settings, as the next release would have.
repository() {
  mkdir -p "$RUN/repo" "$RUN/keys" && chmod 700 "$RUN/keys"
  cp "$DEBS"/*.deb "$RUN/repo"
  rm -f "$RUN"/repo/*dbgsym*
  local version
  for version in "$@"; do
    local name
    for name in midst-agent midst-api; do
      rm -rf "$RUN/next"
      dpkg-deb -R "$(echo "$DEBS/${name}"_*.deb)" "$RUN/next"
      sed -i "s/^Version: .*/Version: $version/" "$RUN/next/DEBIAN/control"
      sed -i "1s/.*/# Settings as version $version has them./" "$RUN/next/etc/$name/$name.toml"
      (cd "$RUN/next" && find etc usr lib -type f -exec md5sum {} + >DEBIAN/md5sums)
      dpkg-deb --root-owner-group -b "$RUN/next" "$RUN/repo/${name}_${version}_all.deb"
    done
  done
  (
    cd "$RUN/repo"
    apt-ftparchive packages . >Packages
    apt-ftparchive -o APT::FTPArchive::Release::Suite=smoke release . >Release
    export GNUPGHOME=$RUN/keys
    gpg --batch --quiet --passphrase '' --quick-generate-key 'smoke test' ed25519 sign never
    gpg --batch --quiet --clearsign -o InRelease Release
    gpg --batch --quiet --export >key.gpg
    gpgconf --kill all
  )
}

# machine_with VERSION… [-- OPTION of nspawn…]: booted, with the repository known to apt and to nothing else.
machine_with() {
  want_root
  want_file "$STACK" P0
  want_file "$DEBS" P1
  local versions=()
  while [ $# -gt 0 ] && [ "$1" != -- ]; do versions+=("$1"); shift; done
  repository "${versions[@]}"
  boot --bind-ro="$RUN/repo:/repo" --bind-ro="$ROOT/packaging/smoke:/smoke" --bind-ro="$ROOT/bindings/python:/bindings" "${@:2}" ||
    { cat "$RUN"/*.console; skip "no systemd boots in a container here"; }
  inside sh -c 'rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*
    echo "deb [signed-by=/repo/key.gpg] file:/repo ./" >/etc/apt/sources.list && apt-get -qq update'
}
install_in_machine() { inside apt-get -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold install "$@"; }
page() { inside curl -fsS --max-time 10 "http://127.0.0.1:9464/metrics${1-}"; }
# Not by a pipe: grep -q leaves at the first hit, and what writes then fails.
page_has() { grep -qxF "$1" <<<"$(page)"; }
up_is() { grep -qE "^$1(\{[^}]*\})? $2\$" <<<"$(page)"; }
said() { grep -q "$1" <<<"$(journal)"; }
property() { inside systemctl show -P "$1" midst-agent; }
journal() { inside journalctl -u midst-agent --no-pager -o cat; }

# As README.Debian tells it.
set_up_databases() {
  inside runuser -u postgres -- psql -qX -c 'CREATE ROLE "midst-agent" LOGIN' -c 'GRANT pg_monitor TO "midst-agent"'
  inside sh -c '
    printf "[[postgres]]\ndsn = \"host=/run/postgresql dbname=postgres user=midst-agent\"\n" >/etc/midst-agent/conf.d/postgres.toml
    sed -i "s/^\[pgbouncer\]/[pgbouncer]\nstats_users = midst_agent/; s/^\[databases\]/&\n* = host=\/run\/postgresql/" /etc/pgbouncer/pgbouncer.ini
    echo "\"midst_agent\" \"a-bouncer-password\"" >>/etc/pgbouncer/userlist.txt
    printf a-bouncer-password >/etc/midst-agent/pgbouncer.password
    chgrp midst-agent /etc/midst-agent/pgbouncer.password && chmod 640 /etc/midst-agent/pgbouncer.password
    printf "[[pgbouncer]]\ndsn = \"host=127.0.0.1 port=6432 dbname=pgbouncer user=midst_agent\"\npassword_file = \"/etc/midst-agent/pgbouncer.password\"\n" \
      >/etc/midst-agent/conf.d/pgbouncer.toml
    systemctl restart pgbouncer'
}

# pushing STEP: adds 1 in every STEP seconds as a user of midst-push, until told to stop; pushed says how many it were.
pushing() {
  inside rm -f /tmp/pushed /tmp/enough
  inside systemd-run -q --unit=pusher -p User=midst-api -p SupplementaryGroups=midst-push -p PrivateTmp=no \
    -p Environment=PYTHONPATH=/bindings python3 -B /smoke/pusher.py "$1"
  until_true 10 "the first push" page_has_pushes
}
page_has_pushes() { grep -qE '^smoke_pushed_total [1-9]' <<<"$(page)"; }
pushed() {
  inside touch /tmp/enough
  until_true 20 "the pushing program to end" inside test -s /tmp/pushed
  inside cat /tmp/pushed
}
nothing_lost() {
  local count
  count=$(pushed)
  until_true 10 "all $count pushes on the page" page_has "smoke_pushed_total $count" ||
    fail "of $count pushes the page shows $(page | grep '^smoke_pushed_total' | cut -d' ' -f2)"
  did "$count pushes sent $1, $count on the page"
}

stage_P5() {
  machine_with
  install_in_machine midst-agent
  [ "$(property ActiveState)" = active ] || fail "not active after the installation"
  until_true 10 "redis_up 1" up_is redis_up 1 || fail "redis_up is not 1 after the installation"
  did "installed from a signed repository, nothing edited: active and redis_up 1"
  [ "$(inside stat -c '%a %U:%G' /etc/midst-agent/midst-agent.toml)" = '640 root:midst-agent' ] || fail "the settings have the wrong owner"
  local age
  age=$(page | awk -v now="$(date +%s)" '$1 == "process_start_time_seconds" {printf "%d", now - $2}')
  [ "${age:-9999}" -ge -2 ] && [ "${age:-9999}" -le 120 ] || fail "process_start_time_seconds is $age s ago"
  set_up_databases
  inside systemctl restart midst-agent
  local series
  for series in pg_up pgbouncer_up redis_up; do
    until_true 10 "$series" up_is "$series" 1 || fail "$series is not 1: $(journal | tail -3)"
  done
  local failed
  failed=$(page | grep -E '^(pg|redis|pgbouncer)_[a-z_]*collector_success\{.*\} 0$' || true)
  [ -z "$failed" ] || fail "collectors that do not work in the confined service: $failed"
  did "Postgres by its Unix socket and peer login, PgBouncer by password file: pg_up, pgbouncer_up and redis_up 1, no collector failed"
  # 3: names that promtool would choose differently, and that the exporters chose.
  local code=0
  page | inside promtool check metrics >/dev/null || code=$?
  [ $code = 0 ] || [ $code = 3 ] || fail "promtool cannot read the page"
  install_in_machine midst-api
  inside sh -c 'for i in 1 2 3; do curl -fsS -o /dev/null "http://127.0.0.1:3001/v1/profiles?limit=3"; done'
  until_true 10 "the API's pushes" page_has 'http_requests_total{method="GET",route="/v1/profiles",status="200"} 3' ||
    fail "the metrics of the API, which is another user, do not arrive"
  did "midst-api, another user in midst-push, pushed 3 requests: 3 on the page"
  printf 'global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: midst-agent\n  static_configs: [{targets: ["127.0.0.1:9464"]}]\n' >"$RUN/prometheus.yml"
  into "$RUN/prometheus.yml" /etc/prometheus/prometheus.yml
  inside systemctl restart prometheus
  until_true 40 "up 1 in Prometheus" prometheus_says_up || fail "Prometheus does not see the agent up"
  did "Prometheus in the same machine: up 1, $(ask_prometheus 'scrape_samples_scraped{job="midst-agent"}') samples a scrape"
  local man=no
  inside man -w midst-agent >/dev/null 2>&1 && man=yes
  inside sh -c "systemd-analyze verify --man=$man /lib/systemd/system/midst-*" || fail "systemd-analyze verify"
  did "systemd-analyze verify: clean (man pages: $man); exposure of the running unit $(inside systemd-analyze security midst-agent | tail -1 | grep -oE '[0-9]+\.[0-9]+')"
  until_true 20 "a machine without failed units" inside systemctl is-system-running ||
    fail "the machine is $(inside systemctl is-system-running): $(inside systemctl --failed --no-legend)"
  did "the machine is $(inside systemctl is-system-running)"
}
ask_prometheus() {
  inside curl -fsS --max-time 5 http://127.0.0.1:9090/api/v1/query --data-urlencode "query=$1" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["data"]["result"][0]["value"][1])'
}
prometheus_says_up() { [ "$(ask_prometheus 'up{job="midst-agent"}')" = 1 ]; }

active_again() { [ "$(property NRestarts)" = "$1" ] && [ "$(property ActiveState)" = active ] && page >/dev/null; }

stage_P6() {
  machine_with
  install_in_machine midst-agent midst-api libmidst-push0
  set_up_databases
  inside mkdir -p /etc/systemd/system/midst-agent.service.d
  printf '[Service]\nWatchdogSec=3s\n' >"$RUN/watchdog.conf"
  into "$RUN/watchdog.conf" /etc/systemd/system/midst-agent.service.d/watchdog.conf
  inside systemctl daemon-reload
  inside systemctl restart midst-agent
  pushing 0.002
  inside systemctl kill -s KILL midst-agent
  until_true 10 "the restart after SIGKILL" active_again 1 || fail "not back after SIGKILL"
  did "SIGKILL: back, NRestarts 1"
  sleep 7  # two periods of the watchdog: what is well is left alone
  [ "$(property NRestarts)" = 1 ] || fail "the watchdog ended a daemon that was well"
  inside systemctl kill -s STOP midst-agent
  until_true 30 "the restart after SIGSTOP" active_again 2 || fail "the watchdog did not end a stopped daemon"
  said 'Watchdog timeout' || fail "no word of the watchdog in the journal"
  did "SIGSTOP: the watchdog ended it after 3 s, NRestarts 2; 7 s before that it left a healthy one alone"
  inside sh -c 'echo "[web]
lifecycl = true" >/etc/midst-agent/conf.d/broken.toml'
  local pid
  pid=$(property MainPID)
  ! inside systemctl reload midst-agent || fail "reload took a broken configuration"
  said 'broken.toml:2:1: error: unknown key' || fail "the journal does not name the mistake"
  [ "$(property MainPID)" = "$pid" ] && up_is redis_up 1 || fail "the daemon did not go on after a broken reload"
  did "broken configuration: systemctl reload fails, $(journal | grep -o 'broken.toml:2:1: .*' | tail -1); the daemon goes on"
  inside rm /etc/midst-agent/conf.d/broken.toml
  inside sh -c 'printf "[[web.listener]]\nlisten = \"127.0.0.1:9121\"\nview = \"redis\"\n" >/etc/midst-agent/conf.d/view.toml'
  inside systemctl reload midst-agent || fail "reload refused a good configuration"
  until_true 10 "the new listener" inside curl -fsS -o /dev/null http://127.0.0.1:9121/metrics || fail "a reload did not open the new listener"
  [ "$(property MainPID)" = "$pid" ] || fail "a reload replaced the process"
  did "good configuration: systemctl reload opens the listener it adds, same process"
  inside systemctl stop redis-server postgresql
  until_true 15 "redis_up 0" up_is redis_up 0 && up_is pg_up 0 || fail "up is not 0 with the databases down"
  [ "$(property ActiveState)" = active ] || fail "the agent went with the databases"
  inside systemctl start redis-server postgresql
  until_true 30 "redis_up 1" up_is redis_up 1 && until_true 30 "pg_up 1" up_is pg_up 1 || fail "up is not 1 again"
  did "Redis and Postgres stopped and started: up 0, up 1, no restart of the agent"
  nothing_lost "meanwhile"
}

stage_P11() {
  machine_with
  install_in_machine midst-agent
  local plain=canary-plain-4711 sealed=canary-sealed-0815
  inside sh -c "
    redis-cli CONFIG SET requirepass $plain
    echo \"CREATE ROLE canary LOGIN PASSWORD '$sealed'; GRANT pg_monitor TO canary\" | runuser -u postgres -- psql -qX
    install -d -m 700 /etc/midst-agent/secrets
    printf %s $plain >/etc/midst-agent/secrets/redis
    printf %s $sealed | systemd-creds encrypt --with-key=host --name=postgres - /etc/midst-agent/secrets/postgres.cred
    install -D -m 644 /usr/share/doc/midst-agent/examples/credentials.conf /etc/systemd/system/midst-agent.service.d/credentials.conf
    printf '[[redis]]\nurl = \"redis://127.0.0.1:6379\"\npassword_credential = \"redis\"\n' >/etc/midst-agent/conf.d/redis.toml
    printf '[log]\nlevel = \"debug\"\n[[postgres]]\ndsn = \"host=127.0.0.1 dbname=postgres user=canary\"\npassword_credential = \"postgres\"\n' >/etc/midst-agent/conf.d/postgres.toml
    systemctl daemon-reload && systemctl restart midst-agent"
  until_true 10 "redis_up 1" up_is redis_up 1 || fail "no login to Redis with a credential: $(journal | tail -2)"
  until_true 10 "pg_up 1" up_is pg_up 1 || fail "no login to Postgres with an encrypted credential: $(journal | tail -2)"
  did "LoadCredential= and LoadCredentialEncrypted=: redis_up 1 and pg_up 1"
  inside sh -c '
    pid=$(systemctl show -P MainPID midst-agent)
    journalctl --no-pager -o verbose; systemctl show midst-agent; systemctl status midst-agent; systemctl cat midst-agent
    tr "\0" "\n" </proc/$pid/environ; tr "\0" "\n" </proc/$pid/cmdline
    for path in /metrics / /api/v1/status; do curl -sS "http://127.0.0.1:9464$path"; done
    midst-agent check --connect 2>&1; midst-agent push clients 2>&1
    midst-agent config effective 2>&1; midst-agent status 2>&1
    midst-agent bundle -o /tmp/bundle.tgz >/dev/null 2>&1 && tar -xzOf /tmp/bundle.tgz' >"$RUN/seen" 2>&1 || true
  [ "$(grep -ac 'redis_up 1' "$RUN/seen")" -ge 1 ] || fail "what was to be searched is not there"
  ! grep -aqE "$plain|$sealed" "$RUN/seen" || fail "a secret shows: $(grep -aE "$plain|$sealed" "$RUN/seen" | head -3)"
  did "neither password in $(wc -c <"$RUN/seen") bytes of journal at debug, unit, environment, command line, page, status, commands"
}
