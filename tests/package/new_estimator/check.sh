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
if cmake/new_estimator.sh copula_knots 2>/dev/null; then
  printf 'error: the script overwrites an estimator that there is\n' >&2
  exit 1
fi

mkdir -p both
ln -sfn ../kernels both/miq
flags=(-fsyntax-only -Iinclude -Iboth -Itests -Itests/simulated_device/include -DMIQ_PRECOMPILED)
"$@" "${flags[@]}" include/precompiled/information.cpp
"$@" "${flags[@]}" -DMIQ_SIMULATED_DEVICE "tests/information/copula_knots_test.cpp"
"$@" "${flags[@]}" -DMIQ_CUDA_PRECOMPILED -x c++ kernels/precompiled/information_estimator.cu
