# copy_tree DIR: a fresh copy of what belongs to the project, from git where there is one. Times are those of the newest
# entry of the changelog, and rights do not depend on the umask, so that packages are the same wherever they are built.
copy_tree() {
  local to=$1 top
  top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  rm -rf "$to"
  mkdir -p "$to"
  if git -C "$top" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    (cd "$top" && git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
      [ ! -e "$file" ] || printf '%s\0' "$file"
    done | tar --null -cf - -T -)
  else
    (cd "$top" && tar --exclude=./build --exclude=./.git -cf - .)
  fi | tar -xf - -C "$to"
  chmod -R u=rwX,go=rX "$to"
}
