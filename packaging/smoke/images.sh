# D1 to D4: images, built from the Debian packages on a Debian that P0 made, run by a docker daemon and a podman of our own, which
# know nothing of images elsewhere.

# start_docker: sets DOCKER, the command with its socket.
start_docker() {
  want_root
  want_file "$CACHE/base.tar.gz" P0
  want_file "$DEBS" P1
  command -v dockerd >/dev/null || skip "no dockerd"
  local docker=/usr/bin/docker
  [ -x $docker ] || docker=docker
  mkdir -p "$CACHE/docker"
  cat >"$RUN/docker.json" <<JSON
{"data-root": "$CACHE/docker", "exec-root": "$RUN/exec", "pidfile": "$RUN/docker.pid", "hosts": ["unix://$RUN/docker.sock"],
 "bip": "172.31.99.1/24", "storage-driver": "overlay2", "default-address-pools": [{"base": "172.31.100.0/22", "size": 26}]}
JSON
  dockerd --config-file "$RUN/docker.json" >"$RUN/dockerd.log" 2>&1 &
  DOCKERD=$!
  export DOCKER_HOST=unix://$RUN/docker.sock
  DOCKER="timeout -k 5 300 $docker"
  until_true 40 "dockerd" $DOCKER info || { tail -5 "$RUN/dockerd.log"; skip "no docker daemon runs here: $(grep -oE 'msg=.*' "$RUN/dockerd.log" | tail -1)"; }
  # Made anew when the packages or the Dockerfiles change.
  local key
  key=$(cat "$CACHE/base.tar.gz.key" "$DEBS"/midst-a*_*.deb "$ROOT"/packaging/docker/* | sha256sum | cut -c1-16)
  [ "$($DOCKER image inspect -f '{{index .Config.Labels "key"}}' midst-agent 2>/dev/null)" != "$key" ] || return 0
  $DOCKER image inspect debian:bookworm-slim >/dev/null 2>&1 || $DOCKER import "$CACHE/base.tar.gz" debian:bookworm-slim
  mkdir -p "$RUN/context"
  cp "$DEBS"/midst-agent_*.deb "$DEBS"/midst-api_*.deb "$RUN/context"
  local name
  for name in agent api; do
    $DOCKER build -q --network=host --label "key=$key" --target debian -t "midst-$name:debian" -f "$ROOT/packaging/docker/$name.Dockerfile" "$RUN/context" ||
      fail "midst-$name:debian cannot be built"
    $DOCKER build -q --network=host --label "key=$key" -t "midst-$name" -f "$ROOT/packaging/docker/$name.Dockerfile" "$RUN/context" ||
      fail "midst-$name cannot be built"
  done
}

end_images() {
  [ -n "${PODMAN-}" ] && $PODMAN pod rm -f -a >/dev/null 2>&1
  [ -n "${DOCKERD-}" ] || return 0
  $DOCKER ps -aq 2>/dev/null | xargs -r $DOCKER rm -f >/dev/null 2>&1
  kill "$DOCKERD" 2>/dev/null
  wait "$DOCKERD" 2>/dev/null
  umount "$RUN"/exec/netns/* 2>/dev/null
  ip link del docker0 2>/dev/null
  local table chain
  for table in nat filter; do
    iptables -t $table -S 2>/dev/null | grep -E '^-A .*(DOCKER|docker0|172\.31\.)' | sed 's/^-A/-D/' | while read -r rule; do
      # shellcheck disable=SC2086
      eval iptables -t $table $rule
    done
    for chain in $(iptables -t $table -S 2>/dev/null | awk '/^-N DOCKER/ {print $2}'); do
      iptables -t $table -F "$chain" && iptables -t $table -X "$chain"
    done
  done 2>/dev/null
  find /sys/fs/cgroup -depth -type d -path '*/docker*' -exec rmdir {} \; 2>/dev/null
  return 0
}

size_mb() { $DOCKER image inspect -f '{{.Size}}' "$1" | awk '{printf "%.1f", $1 / 1e6}'; }
health_of() { [ "$($DOCKER inspect -f '{{.State.Health.Status}}' "$1")" = "$2" ]; }
# confined NAME IMAGE OPTION…: as the examples run it.
confined() {
  $DOCKER run -d --name "$1" --read-only --cap-drop=all --security-opt=no-new-privileges --health-interval=1s "${@:3}" "$2"
}
# asked CONTAINER URL: from within its network.
asked() { nsenter -t "$($DOCKER inspect -f '{{.State.Pid}}' "$1")" -n curl -fsS --max-time 5 "$2"; }

try_image() {
  local image=$1 name=agent-$RANDOM user began
  confined $name "$image" --network=none
  until_true 20 "a healthy container" health_of $name healthy || { $DOCKER logs $name; fail "$image: not healthy: $($DOCKER inspect -f '{{json .State.Health}}' $name)"; }
  user=$(awk '/^Uid:/ {print $2}' "/proc/$($DOCKER inspect -f '{{.State.Pid}}' $name)/status")
  [ "$user" != 0 ] || fail "$image runs as root"
  grep -q midst_agent_build_info <<<"$(asked $name http://127.0.0.1:9464/metrics)" || fail "$image serves no page"
  began=$(date +%s%N)
  $DOCKER kill -s TERM $name >/dev/null
  [ "$($DOCKER wait $name)" = 0 ] || fail "$image: SIGTERM, exit code $($DOCKER inspect -f '{{.State.ExitCode}}' $name)"
  local took=$((($(date +%s%N) - began) / 1000000))
  [ $took -lt 1500 ] || fail "$image: SIGTERM took $took ms"
  $DOCKER rm $name >/dev/null
  did "$image, $(size_mb "$image") MB: healthy by its own HEALTHCHECK, uid $user, read-only root, no capabilities; SIGTERM, exit 0 within $took ms"
}

stage_D1() {
  start_docker
  local image
  for image in midst-agent midst-api; do
    awk -v size="$(size_mb $image)" 'BEGIN {exit size > 60}' || fail "$image has $(size_mb $image) MB, at most 60"
  done
  try_image midst-agent
  try_image midst-agent:debian
  confined api midst-api --network=none
  until_true 10 "the API" asked api http://127.0.0.1:3001/ready || fail "midst-api does not answer"
  did "midst-api, $(size_mb midst-api) MB: answers, uid $(awk '/^Uid:/ {print $2}' "/proc/$($DOCKER inspect -f '{{.State.Pid}}' api)/status"), read-only root, no capabilities"
}

stage_D2() {
  start_docker
  want_file "$STACK" P0
  command -v docker-compose >/dev/null || skip "no docker-compose"
  # The servers of the example, from the machine that P0 made: no image comes from elsewhere.
  $DOCKER image inspect redis:7-alpine >/dev/null 2>&1 || tar -C "$STACK" --one-file-system -cf - . | $DOCKER import - redis:7-alpine
  $DOCKER tag redis:7-alpine postgres:15-alpine
  $DOCKER tag redis:7-alpine prom/prometheus
  compose() { timeout 120 docker-compose -p smoke -f "$ROOT/infra/sidecar/compose.yaml" -f "$ROOT/packaging/smoke/compose.yaml" "$@"; }
  compose up -d || fail "docker-compose up"
  local container
  container=$(compose ps -q agent)
  until_true 60 "a healthy agent" health_of "$container" healthy || { compose logs; fail "the agent is not healthy"; }
  until_true 40 "the API" asked "$container" http://127.0.0.1:3001/ready || { compose logs api; fail "the API is not ready"; }
  local i
  for i in 1 2 3 4 5; do asked "$container" "http://127.0.0.1:3001/v1/profiles?limit=3" >/dev/null; done
  sidecar_serves "$container" 5
  local pages="redis_up 1, pg_up 1"
  until_true 30 "$pages" both_up "$container" || fail "of $pages: $(asked "$container" http://127.0.0.1:9464/metrics | grep -E '^(redis|pg)_up')"
  did "$pages, from the example's own variables"
  until_true 40 "up in Prometheus" prometheus_of "$(compose ps -q prometheus)" || fail "Prometheus does not see the agent"
  did "Prometheus of the example: up 1"
  compose down -v || fail "docker-compose down"
  [ -z "$($DOCKER ps -aq)" ] || fail "containers are left"
  did "down: nothing left"
}
both_up() {
  local seen
  seen=$(asked "$1" http://127.0.0.1:9464/metrics)
  grep -qE '^redis_up(\{.*\})? 1$' <<<"$seen" && grep -qE '^pg_up(\{.*\})? 1$' <<<"$seen"
}
prometheus_of() { grep -q '"value":\[[0-9.]*,"1"\]' <<<"$(asked "$1" 'http://127.0.0.1:9090/api/v1/query?query=up')"; }
# sidecar_serves CONTAINER COUNT: what the API counted, on the agent's page.
sidecar_serves() {
  SERIES="http_requests_total{method=\"GET\",route=\"/v1/profiles\",status=\"200\"} $2"
  until_true 15 "the API's metrics" sidecar_shows "$1" || fail "the page of the agent lacks $SERIES"
  did "$2 requests to the API: $2 on the page of the agent beside it"
}
sidecar_shows() { grep -qxF "$SERIES" <<<"$(asked "$1" http://127.0.0.1:9464/metrics)"; }

stage_D3() {
  start_docker
  command -v podman >/dev/null || skip "no podman"
  mkdir -p "$RUN/podman"
  printf '[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=31000:31000"]\n[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n[network]\nnetwork_backend = "netavark"\nnetwork_config_dir = "%s"\n' "$RUN/podman/networks" >"$RUN/containers.conf"
  printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' "$RUN/podman/graph" "$RUN/podman/run" >"$RUN/storage.conf"
  export CONTAINERS_CONF=$RUN/containers.conf CONTAINERS_STORAGE_CONF=$RUN/storage.conf
  PODMAN='timeout -k 5 120 podman'
  $PODMAN info >/dev/null || skip "no podman runs here"
  local name
  for name in agent api; do $DOCKER save "midst-$name:latest" | $PODMAN load -q; done
  sed 's#image: midst-#image: localhost/midst-#' "$ROOT/infra/k8s/sidecar.yaml" >"$RUN/pod.yaml"
  $PODMAN play kube "$RUN/pod.yaml" || fail "podman play kube"
  local container=midst-api-agent
  DOCKER_WAS=$DOCKER DOCKER=$PODMAN
  until_true 20 "the API" asked $container http://127.0.0.1:3001/ready || { $PODMAN logs midst-api-api; fail "the API of the pod is not ready"; }
  local i
  for i in 1 2 3; do asked $container "http://127.0.0.1:3001/v1/profiles?limit=3" >/dev/null; done
  sidecar_serves $container 3
  $PODMAN exec $container /usr/bin/midst-agent health || fail "midst-agent health in the pod: $?"
  did "the readiness probe's command, midst-agent health: exit code 0"
  DOCKER=$DOCKER_WAS
  $PODMAN play kube --down "$RUN/pod.yaml" || fail "podman play kube --down"
  did "down"
  $PODMAN system reset -f >/dev/null 2>&1 || true
}

stage_D4() {
  start_docker
  local image shells
  for image in midst-agent midst-api; do
    $DOCKER create --name "look-$image" "$image" >/dev/null
    $DOCKER export "look-$image" | tar -tf - >"$RUN/files"
    shells=$(grep -E '(^|/)(sh|bash|dash|busybox|apt|dpkg|perl|python3?)$' "$RUN/files" || true)
    [ -z "$shells" ] || fail "$image has $shells"
    did "$image: $(grep -vc '/$' "$RUN/files") files, no shell, no package manager; $(size_mb $image) MB"
  done
  ! $DOCKER run --rm --entrypoint /bin/sh midst-agent -c true || fail "a shell runs"
  confined agent midst-agent --network=none
  until_true 10 "health" $DOCKER exec agent /usr/bin/midst-agent health || fail "midst-agent health: $($DOCKER exec agent /usr/bin/midst-agent health 2>&1)"
  did "midst-agent health inside it: exit code 0"
  local code=0
  $DOCKER run --rm --network=none midst-agent health || code=$?
  [ $code = 69 ] || fail "midst-agent health without a daemon: exit code $code, not 69"
  did "without a daemon: exit code 69"
}
