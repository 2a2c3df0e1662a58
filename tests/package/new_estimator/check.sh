#!/usr/bin/env bash
# Runs cmake/new_estimator.sh in a copy of the sources, counts the files that it touches, and lets the compiler read what
# it wrote: for the host, and for the simulated device.
#
#   check.sh SOURCE_DIR WORK_DIR COMPILER [COMPILER_ARGUMENT...]
set -euo pipefail
source=$1 work=$2
shift 2
most=16

rm -rf "$work"
mkdir -p "$work"
cp -r "$source/include" "$source/kernels" "$source/cmake" "$work/"
mkdir -p "$work/tests" "$work/docs"
cp -r "$source/tests/information" "$source/tests/test_support" "$source/tests/simulated_device" "$work/tests/"
cp "$source/docs/information.md" "$work/docs/"
cp "$source/.clang-format" "$work/"
cd "$work"

mapfile -t touched < <(cmake/new_estimator.sh copula_knots | sort -u)
printf 'touched: %s\n' "${touched[@]}"
if ((${#touched[@]} > most)); then
  printf 'error: a new estimator touches %d files, at most %d are allowed\n' "${#touched[@]}" "$most" >&2
  exit 1
fi
for file in "${touched[@]}"; do
  grep -q copula_knots "$file" || { printf 'error: %s does not name the estimator\n' "$file" >&2; exit 1; }
done
for taken in copula_knots affinity; do
  if cmake/new_estimator.sh "$taken" 2>/dev/null; then
    printf 'error: the script overwrites %s\n' "$taken" >&2
    exit 1
  fi
done
# And another one after it: both are estimators then.
cmake/new_estimator.sh second_knots >/dev/null
for name in copula_knots second_knots; do
  tr -d '\n' <include/miq/information/estimator_options.hpp | grep -qE "std::variant<[^;]*${name}_options[^;]*>;" ||
    { printf 'error: %s is not in the variant\n' "$name" >&2; exit 1; }
done

mkdir -p both
ln -sfn ../kernels both/miq
flags=(-fsyntax-only -Itests/simulated_device/include -Iinclude -Iboth -Itests -DMIQ_PRECOMPILED)
"$@" "${flags[@]}" include/precompiled/information.cpp
"$@" "${flags[@]}" -DMIQ_SIMULATED_DEVICE "tests/information/copula_knots_test.cpp"
for unit in estimator copula_knots; do
  "$@" "${flags[@]}" -DMIQ_SIMULATED_DEVICE -DMIQ_CUDA_PRECOMPILED -x c++ "kernels/precompiled/information_$unit.cu"
done
