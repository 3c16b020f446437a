#!/usr/bin/env bash
# bundle.sh BASELINE FOLDER PROGRAM…: copies into FOLDER every library that the programs need, at any depth, and that BASELINE
# does not name. The programs look there first, by their RPATH.
set -euo pipefail
baseline=$1 folder=$2; shift 2
mkdir -p "$folder"
ldd "$@" | awk '$2 == "=>" && $3 ~ /^\// {print $1, $3}' | sort -u | while read -r name path; do
  grep -qE "^${name//+/\\+}( |$)" "$baseline" || install -m 755 "$path" "$folder/$name"
done
