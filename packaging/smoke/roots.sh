# P0: roots made by mmdebstrap from the Debian sources of this machine, kept for a week.

# The machine's own sources that name its release; mirrors of other software stay out.
debian_sources() {
  local name
  name=$(. /etc/os-release && echo "$VERSION_CODENAME")
  grep -lE "(^|[[:space:]])$name([[:space:]]|-updates|-security|/|$)" /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null
}

# make_root PATH LIST OPTION…: a folder, or a .tar.gz; made again when LIST changes or the week does.
make_root() {
  local path=$1 list=$2 key; shift 2
  key=$(printf '%s\n' "$(date +%G-%V)" "$(grep -v '^#' "$list")" "$*" | sha256sum | cut -c1-16)
  if [ -e "$path" ] && [ "$(cat "$path.key" 2>/dev/null)" = "$key" ]; then
    did "${path##*/}: as it is"
    return
  fi
  rm -rf "$path" "$path.key"
  local name sources
  name=$(. /etc/os-release && echo "$VERSION_CODENAME")
  mapfile -t sources < <(debian_sources)
  [ ${#sources[@]} -gt 0 ] || skip "no Debian sources in /etc/apt for $name"
  mmdebstrap --variant=minbase --include="$(grep -v '^#' "$list" | paste -sd,)" "$@" "$name" "$path" "${sources[@]}"
  echo "$key" >"$path.key"
  did "${path##*/}: made, $(du -sh "$path" | cut -f1)"
}

stage_P0() {
  want_root
  unshare -m true || skip "no mount namespaces here"
  make_root "$STACK" "$ROOT/packaging/smoke/stack-packages.txt"
  make_root "$CACHE/base.tar.gz" "$ROOT/packaging/smoke/base-packages.txt" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright'
}
