#!/usr/bin/env bash
# The whole thing on one machine: installs what is missing, builds, starts private Redis, Postgres, PgBouncer, midst-agent
# and midst-api on free loopback ports under build/run, sends a little traffic and shows what /metrics says.
# Safe to run twice. infra/down.sh ends what this started.
#   --preset NAME   build this preset of CMakePresets.json instead of release
#   --no-build      take the programs as they are
set -euo pipefail
. "$(dirname "$0")/common.sh"
PRESET=release BUILD=yes
while [ $# -gt 0 ]; do
  case $1 in
    --preset) PRESET=${2:?--preset takes a name}; shift 2 ;;
    --no-build) BUILD=; shift ;;
    *) fail "unknown option $1; see the head of infra/up.sh" ;;
  esac
done
RUN=${MIDST_RUN_DIR:-$ROOT/build/run}
BIN=${MIDST_BIN_DIR:-$ROOT/build/$PRESET/bin}
PG_BIN=/usr/lib/postgresql/15/bin
mkdir -p "$ROOT/build"
install_packages "$ROOT"/infra/packages-{build,servers}.txt
[ -z "$BUILD" ] || configure_and_build "$PRESET" midst-agent midst-api
[ -x "$BIN/midst-agent" ] || fail "no $BIN/midst-agent; run without --no-build"

stop_all
remove_run
mkdir -p "$RUN"
trap 'code=$?; [ $code = 0 ] || { stop_all; echo "nothing is left running; the logs are in $RUN" >&2; }' EXIT

# Postgres and PgBouncer refuse to run as root; their data then goes where their own user can reach it.
DATA=$RUN SERVICE=
if [ "$(id -u)" = 0 ]; then
  SERVICE="setpriv --reuid postgres --regid postgres --init-groups"
  DATA=$(mktemp -d /tmp/midst-run-XXXXXX)
  chown postgres: "$DATA"
  ln -s "$DATA" "$RUN/data"
fi

REDIS_PORT=$(free_port); PG_PORT=$(free_port); BOUNCER_PORT=$(free_port)
say "starting Redis on 127.0.0.1:$REDIS_PORT"
start redis redis-server --bind 127.0.0.1 --port "$REDIS_PORT" --save '' --dir "$RUN"
wait_for 10 Redis redis-cli -p "$REDIS_PORT" ping

say "starting Postgres on 127.0.0.1:$PG_PORT"
$SERVICE "$PG_BIN/initdb" --no-sync -A trust -U postgres --encoding=UTF8 --locale=C.UTF-8 -D "$DATA/postgres" >"$RUN/initdb.log" 2>&1 ||
  fail "initdb failed; see $RUN/initdb.log"
start postgres $SERVICE "$PG_BIN/postgres" -D "$DATA/postgres" -c port="$PG_PORT" -c listen_addresses=127.0.0.1 \
  -c unix_socket_directories="$DATA" -c fsync=off
wait_for 20 Postgres "$PG_BIN/pg_isready" -q -h 127.0.0.1 -p "$PG_PORT"
psql -qX -h 127.0.0.1 -p "$PG_PORT" -U postgres -c 'CREATE DATABASE midst' ||
  fail "Postgres refused to make the database"

say "starting PgBouncer on 127.0.0.1:$BOUNCER_PORT"
cat >"$DATA/pgbouncer.ini" <<INI
[databases]
* = host=127.0.0.1 port=$PG_PORT
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $BOUNCER_PORT
unix_socket_dir =
auth_type = trust
auth_file = $DATA/users.txt
admin_users = postgres
pool_mode = transaction
INI
echo '"postgres" ""' >"$DATA/users.txt"
chmod 644 "$DATA/pgbouncer.ini" "$DATA/users.txt"
start pgbouncer $SERVICE /usr/sbin/pgbouncer "$DATA/pgbouncer.ini"
wait_for 10 PgBouncer psql -qX -h 127.0.0.1 -p "$BOUNCER_PORT" -U postgres pgbouncer -c 'SHOW VERSION'

AGENT_PORT=$(free_port); API_PORT=$(free_port)
cat >"$RUN/midst-agent.toml" <<TOML
[web]
listen = ["127.0.0.1:$AGENT_PORT"]

[scrape]
min_interval = "100ms"

[[redis]]
url = "redis://127.0.0.1:$REDIS_PORT"

[[postgres]]
dsn = "host=127.0.0.1 port=$PG_PORT dbname=midst user=postgres"

[[pgbouncer]]
dsn = "host=127.0.0.1 port=$BOUNCER_PORT dbname=pgbouncer user=postgres"

[ingest]
socket = "$RUN/push.sock"
state_file = "$RUN/push.state"
dogstatsd_socket = "$RUN/dsd.sock"
dogstatsd_stream_socket = "$RUN/dsd-stream.sock"
TOML
"$BIN/midst-agent" check --config "$RUN/midst-agent.toml" >"$RUN/check.log" 2>&1 || fail "$(cat "$RUN/check.log")"
say "starting midst-agent on 127.0.0.1:$AGENT_PORT"
start midst-agent "$BIN/midst-agent" run --config "$RUN/midst-agent.toml"
wait_for 10 midst-agent curl -fsS "http://127.0.0.1:$AGENT_PORT/-/ready"

say "starting midst-api on 127.0.0.1:$API_PORT"
start midst-api env API_LISTEN="127.0.0.1:$API_PORT" REDIS_URL="redis://127.0.0.1:$REDIS_PORT" \
  DATABASE_URL="postgresql://postgres@127.0.0.1:$BOUNCER_PORT/midst" MIDST_PUSH_SOCKET="$RUN/push.sock" "$BIN/midst-api"
wait_for 20 midst-api curl -fsS "http://127.0.0.1:$API_PORT/ready"

API=http://127.0.0.1:$API_PORT METRICS=http://127.0.0.1:$AGENT_PORT/metrics
say "sending a little traffic"
GETS=0
for number in $(seq 5); do
  id=$(printf '00000000-0000-4000-8000-%012d' "$number")
  curl -fsS -o /dev/null -H 'Content-Type: application/json' "$API/v1/profiles" \
    -d "{\"id\":\"$id\",\"displayName\":\"Person $number\",\"slug\":\"person-$number\",\"email\":\"person$number@example.org\"}" ||
    fail "the API refused to create a profile; see $RUN/midst-api.log"
  for _ in $(seq 4); do curl -fsS -o /dev/null "$API/v1/profiles/$id"; GETS=$((GETS + 1)); done
done
curl -fsS -o /dev/null "$API/v1/profiles?limit=3"
curl -sS -o /dev/null "$API/no/such/page"

SENT="http_requests_total{method=\"GET\",route=\"/v1/profiles/:id\",status=\"200\"} $GETS"
shows_all() { curl -fsS "$METRICS" | grep -qxF "$SENT"; }
wait_for 10 "the pushed count of $GETS requests" shows_all

page=$(curl -fsS "$METRICS")
row() { printf '  %-78s %s\n' "$1" "$(awk -v s="$1" 'index($0, s " ") == 1 {print substr($0, length(s) + 2); exit}' <<<"$page")"; }
printf '\n  %-78s %s\n' "series on /metrics" "value"
for series in redis_up pg_up pgbouncer_up "${SENT% *}" \
  'http_requests_total{method="POST",route="/v1/profiles",status="201"}' \
  'http_requests_total{method="GET",route="unmatched",status="404"}' \
  'cache_hits_total{cache_type="redis"}' redis_connected_clients \
  'pg_stat_database_numbackends{datid="'"$(psql -qXAt -h 127.0.0.1 -p "$PG_PORT" -U postgres -c "SELECT oid FROM pg_database WHERE datname = 'midst'")"'",datname="midst"}' \
  'midst_push_clients{state="connected"}' process_resident_memory_bytes; do
  row "$series"
done
cat <<END

  agent      http://127.0.0.1:$AGENT_PORT/          metrics at $METRICS
  API        $API/v1/profiles
  Redis      127.0.0.1:$REDIS_PORT     Postgres 127.0.0.1:$PG_PORT     PgBouncer 127.0.0.1:$BOUNCER_PORT
  logs       $RUN/*.log

GETs of /v1/profiles/:id sent: $GETS. infra/down.sh ends all of it.
END
