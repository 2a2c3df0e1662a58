#!/usr/bin/env bash
# Builds the documentation as a site: docs_site.sh [FOLDER], build/site unless it is given. Needs doxygen.
#
# Fails on any warning but one: members of a type that has a comment (`rows()`, fields whose name and type say all) need none.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$(realpath -m "${1:-$root/build/site}")
mkdir -p "$folder"
version=$(sed -n 's/.*project(.*VERSION \([0-9.]*\).*/\1/p; s/^ *VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt" | head -n 1)
log=$folder/warnings.txt
sed "s#@PROJECT_VERSION@#$version#; s#@MIQ_DOCS_OUTPUT@#$folder#; s#@PROJECT_SOURCE_DIR@#$root#g" \
  "$root/docs/Doxyfile.in" | doxygen - >"$log" 2>&1 || { cat "$log"; exit 1; }
if grep -E 'warning:|error:' "$log" | grep -vE 'Member .* of (struct|class) .* is not documented'; then
  printf 'error: doxygen warns of the above\n' >&2
  exit 1
fi
printf '%s\n' "$folder/index.html"
