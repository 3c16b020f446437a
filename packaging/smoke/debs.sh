# P1 to P4: the Debian packages without a running systemd.

stage_P1() {
  local second=$WORK/second began=$SECONDS
  "$ROOT/packaging/build_deb.sh" --work "$WORK/work" --output "$DEBS"
  did "built in $((SECONDS - began)) s: $(cd "$DEBS" && ls ./*.deb | sed 's|^\./||' | paste -sd' ')"
  # shellcheck disable=SC2086
  "$ROOT/packaging/build_deb.sh" --work "$second/elsewhere" --output "$second/deb" $no_cache
  local file
  for file in "$DEBS"/*.deb; do
    cmp "$file" "$second/deb/${file##*/}" || fail "${file##*/} differs when built in another folder"
  done
  did "built again in another folder${no_cache:+, every file compiled}: the same bytes"
  rm -rf "$second"
}

stage_P2() {
  want_file "$DEBS" P1
  local tags=$RUN/tags
  lintian --display-info --pedantic --fail-on error,warning "$DEBS"/*.changes >"$tags" || { cat "$tags"; fail "$(grep -E '^[EW]:' "$tags" | head -5)"; }
  did "$(grep -c '^I:' "$tags" || true) remarks of less weight: $(grep '^I:' "$tags" | sed 's/.*: //; s/ .*//' | sort | uniq -c | sort -rn | awk '{print $2 " " $1}' | paste -sd, | sed 's/,/, /g')"
}

exposure() { systemd-analyze security --offline=true --threshold="$2" "$1" | tail -1 | grep -oE '[0-9]+\.[0-9]+'; }

stage_P3() {
  command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
  did "midst-agent.service $(exposure "$ROOT/systemd/midst-agent.service" 12), at most 1.2"
  did "midst-api.service $(exposure "$ROOT/systemd/midst-api.service" 15), at most 1.5"
}

# unpacked NAME: folder with the content of a package.
unpacked() {
  [ -d "$RUN/unpacked-$1" ] || dpkg-deb -x "$(echo "$DEBS/$1"_*.deb)" "$RUN/unpacked-$1"
  echo "$RUN/unpacked-$1"
}

stage_P4() {
  want_file "$DEBS" P1
  timeout 60 python3 "$ROOT/packaging/smoke/notify.py" "$(unpacked midst-agent)/usr/bin/midst-agent" "$RUN" >"$RUN/seen" ||
    { cat "$RUN/seen"; fail "$(tail -1 "$RUN/seen")"; }
  while read -r line; do did "$line"; done <"$RUN/seen"
}
