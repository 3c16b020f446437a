#!/usr/bin/env bash
# Builds the Debian packages from a copy of the tree, with packaging/debian put in its place, into build/package/deb.
#   --work DIR      build there instead of build/package/work
#   --output DIR    put the packages there
#   --no-cache      compile everything, whatever ccache knows
# What a package build needs: infra/packages-build.txt and the first part of packaging/packages.txt.
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/.." && pwd)
WORK=$ROOT/build/package/work OUTPUT=$ROOT/build/package/deb CACHE=yes
while [ $# -gt 0 ]; do
  case $1 in
    --work) WORK=$2; shift 2 ;;
    --output) OUTPUT=$2; shift 2 ;;
    --no-cache) CACHE=; shift ;;
    *) echo "unknown option $1; see the head of packaging/build_deb.sh" >&2; exit 64 ;;
  esac
done
. "$ROOT/packaging/copy_tree.sh"
copy_tree "$WORK/midst"
cp -a "$ROOT/packaging/debian" "$WORK/midst/debian"
cd "$WORK/midst"
unset CCACHE_DIR
if [ -n "$CACHE" ] && command -v ccache >/dev/null; then
  CCACHE_DIR=$(cd / && ccache -k cache_dir)
  export CCACHE_DIR CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=$WORK/midst
fi
export DEB_BUILD_OPTIONS="nocheck parallel=$(nproc)" LC_ALL=C.UTF-8
dpkg-buildpackage -b -us -uc >"$WORK/build.log" 2>&1 || { tail -40 "$WORK/build.log" >&2; exit 1; }
mkdir -p "$OUTPUT"
rm -f "$OUTPUT"/*.deb "$OUTPUT"/*.changes "$OUTPUT"/*.buildinfo
mv "$WORK"/*.deb "$WORK"/*.changes "$WORK"/*.buildinfo "$OUTPUT"
