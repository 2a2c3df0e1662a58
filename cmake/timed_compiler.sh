#!/usr/bin/env bash
# timed_compiler.sh COMPILER ARGUMENT...: runs the compiler and leaves the processor seconds that it took beside the
# object, in OBJECT.seconds. tests/package/compile_budget reads them.
object=
previous=
for argument in "$@"; do
  if [[ $previous == -o ]]; then object=$argument; fi
  previous=$argument
done
if [[ -z $object ]]; then exec "$@"; fi
rm -f "$object.seconds"
TIMEFORMAT='%U %S'
exec 3>&1 4>&2
seconds=$({ time "$@" 1>&3 2>&4; } 2>&1)
status=$?
LC_ALL=C awk -v both="$seconds" 'BEGIN { split(both, part, " "); print part[1] + part[2] }' >"$object.seconds"
exit "$status"
