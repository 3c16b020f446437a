#!/usr/bin/env bash
# Builds the rpm packages from a copy of the tree into build/package/rpm. On Debian with the flags of the Debian packages, so
# that ccache has the objects already.
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/.." && pwd)
TOP=$ROOT/build/package/rpmbuild OUTPUT=$ROOT/build/package/rpm
. "$ROOT/packaging/copy_tree.sh"
VERSION=$(sed -n 's/^Version: *//p' "$ROOT/packaging/rpm/midst-agent.spec")
rm -rf "$TOP" "$OUTPUT"
mkdir -p "$TOP/SOURCES" "$TOP/SPECS" "$OUTPUT"
copy_tree "$TOP/midst-$VERSION"
tar -C "$TOP" --sort=name --owner=0 --group=0 --mtime=@1763942400 -czf "$TOP/SOURCES/midst-$VERSION.tar.gz" "midst-$VERSION"
rm -rf "${TOP:?}/midst-$VERSION"
cp "$ROOT/packaging/rpm/midst-agent.spec" "$TOP/SPECS"
BUILD=$TOP/BUILD/midst-$VERSION
options=(--define "_topdir $TOP")
if command -v dpkg-buildflags >/dev/null; then
  flags() { (cd "$ROOT" && DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --get "$1" | sed "s#-ffile-prefix-map=[^ ]*#-ffile-prefix-map=$BUILD=.#"); }
  CXXFLAGS="$(flags CXXFLAGS) $(flags CPPFLAGS)" LDFLAGS=$(flags LDFLAGS)
  export CXXFLAGS LDFLAGS
  options+=(--nodeps)  # the names of BuildRequires are those of Fedora
fi
if command -v ccache >/dev/null; then
  export CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=$BUILD
  options+=(--define 'cmake_launcher -DCMAKE_CXX_COMPILER_LAUNCHER=ccache')
fi
rpmbuild -ba --noclean "${options[@]}" "$@" "$TOP/SPECS/midst-agent.spec" >"$TOP/build.log" 2>&1 || { tail -40 "$TOP/build.log" >&2; exit 1; }
mv "$TOP"/RPMS/*/*.rpm "$TOP"/SRPMS/*.rpm "$OUTPUT"
