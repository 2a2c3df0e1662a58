#!/usr/bin/env bash
# check.sh BUILD BUDGET: holds the processor seconds that the units of a build took to compile, as multiples of the
# reference unit's, against a budget. cmake/timed_compiler.sh has left them beside the objects.
#
# A line of the budget is `PATTERN MULTIPLE`; the first line whose pattern (a shell's) matches an object's path below
# BUILD counts. Prints the five heaviest units, and every one beyond its budget.
set -euo pipefail
build=$1
budget=$2

cd "$build"
reference=tests/package/CMakeFiles/compile_budget_reference.dir/compile_budget/reference.cpp.o.seconds
if [[ ! -e $reference ]]; then
  echo "SKIPPED: the compiler was not called by cmake/timed_compiler.sh"
  exit 0
fi

find . -name '*.o.seconds' | while read -r file; do
  object=${file%.seconds}
  if [[ -e $object ]]; then printf '%s %s\n' "$(<"$file")" "${object#./}"; fi
done | LC_ALL=C sort -rn >compile_seconds.txt

LC_ALL=C awk -v reference="$(<"$reference")" '
  FNR == NR {
    if ($0 !~ /^#/ && NF == 2) {
      pattern = $1
      gsub(/[.+]/, "\\\\&", pattern)
      gsub(/\*/, ".*", pattern)
      patterns[++lines] = "^" pattern "$"
      multiples[lines] = $2
    }
    next
  }
  {
    allowed = -1
    for (i = 1; i <= lines && allowed < 0; ++i)
      if ($2 ~ patterns[i]) { allowed = multiples[i]; used[i] = 1 }
    multiple = $1 / reference
    if (allowed < 0) { printf "no line of the budget is for %s\n", $2; failed = 1; next }
    if (FNR <= 5) printf "%5.1f of %5.1f  %s\n", multiple, allowed, $2
    if (multiple > allowed) {
      printf "TOO EXPENSIVE: %s took %.1f times the reference unit, its budget is %.1f\n", $2, multiple, allowed
      failed = 1
    }
    ++units
  }
  END {
    for (i = 1; i <= lines; ++i)
      if (!used[i]) printf "unused line of the budget: %s\n", patterns[i]
    printf "%d units; the reference unit took %.1f s\n", units, reference
    exit failed
  }' "$budget" compile_seconds.txt
