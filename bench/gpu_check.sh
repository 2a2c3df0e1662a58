#!/usr/bin/env bash
# Everything that only a GPU can show, in one run of minutes: builds, device tests, timings, compute-sanitizer.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'END'
Usage: bench/gpu_check.sh [--pack | --quick]

Without options, on a machine with a GPU, nvcc, CMake and ninja: builds the device tests and benchmarks for the GPU at
hand, runs the tests (a missing device is a failure), the benchmarks beside PyTorch where that is installed, and
compute-sanitizer over as much as fits into what is left of MIQ_GPU_SECONDS (480 unless it is set).
Writes what it finds to $OUT, or build/gpu.

  --pack    on a machine with Eigen, Catch2 and Google Benchmark installed: copies them to gpu_dependencies/, which git
            ignores, so that a bare machine can build
  --quick   tests only
END
}

quick=no
case ${1:-} in
  '') ;;
  --quick) quick=yes ;;
  --pack)
    rm -rf gpu_dependencies
    mkdir -p gpu_dependencies/include gpu_dependencies/lib/cmake gpu_dependencies/share/eigen3
    cp -r /usr/include/eigen3 /usr/include/catch2 gpu_dependencies/include/
    rm -rf gpu_dependencies/include/eigen3/unsupported
    cp -r /usr/lib/cmake/Catch2 gpu_dependencies/lib/cmake/
    # Google Benchmark: headers, the shared library and its CMake package, in the places that the package names.
    cp -r /usr/include/benchmark gpu_dependencies/include/
    mkdir -p gpu_dependencies/lib/x86_64-linux-gnu/cmake
    cp -a /usr/lib/x86_64-linux-gnu/libbenchmark* gpu_dependencies/lib/x86_64-linux-gnu/
    cp -r /usr/lib/x86_64-linux-gnu/cmake/benchmark gpu_dependencies/lib/x86_64-linux-gnu/cmake/
    cp -r /usr/share/eigen3/cmake gpu_dependencies/share/eigen3/
    du -sh gpu_dependencies
    exit
    ;;
  --help | -h)
    usage
    exit
    ;;
  *)
    usage >&2
    exit 1
    ;;
esac

out=${OUT:-build/gpu}
mkdir -p "$out"
started=$SECONDS
say() { printf '\n== %s (%d s)\n' "$*" $((SECONDS - started)); }

say "Device"
nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm --format=csv | tee "$out/device.txt"
git log -1 --format='commit %H' 2>/dev/null | tee -a "$out/device.txt" || true
date -u '+%Y-%m-%d' | tee -a "$out/device.txt"
architecture=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .)

say "Building for sm_$architecture"
cmake -S . -B build/gpu -G Ninja -D CMAKE_BUILD_TYPE=Release -D MIQ_CUDA=ON -D CMAKE_CUDA_ARCHITECTURES="$architecture" \
  -D MIQ_DEVICE_TESTS=ON -D MIQ_BUILD_EXAMPLES=OFF -D MIQ_INSTALL=OFF \
  -D CMAKE_PREFIX_PATH="$PWD/gpu_dependencies" >"$out/build.txt" 2>&1 || { cat "$out/build.txt"; exit 1; }
targets=(device_tests)
[[ $quick == yes ]] || targets+=(bench_device)
cmake --build build/gpu --target "${targets[@]}" >>"$out/build.txt" 2>&1 || { tail -n 60 "$out/build.txt"; exit 1; }

say "Device tests"
status=0
# A program with a kernel that hangs may not end when it is asked to: hence the second limit of every timeout here.
MIQ_REQUIRE_GPU=1 timeout -k 5 150 ctest --test-dir build/gpu -L '^device$' --output-on-failure |
  tee "$out/tests.txt" || status=1
[[ $quick == no ]] || exit $status

# The layers first, in a file of their own, for the comparison; a file that was not finished cannot be read.
measure() {
  local name=$1 limit=$2 filter=$3
  timeout -k 5 "$limit" build/gpu/bench/device/bench_device --benchmark_filter="$filter" \
    --benchmark_out="$out/$name.json" --benchmark_out_format=json | tee -a "$out/benchmarks.txt" ||
    { status=1; echo "the benchmarks ($name) failed, or did not finish in $limit s"; }
}
say "Benchmarks"
rm -f "$out/benchmarks.txt"
measure layers 60 '^factor_and_sweep'
if python3 -c 'import torch' 2>/dev/null; then
  timeout -k 5 90 python3 bench/device/pytorch_layers.py "$out/layers.json" | tee -a "$out/benchmarks.txt" ||
    { status=1; echo "PyTorch failed, or did not finish in 90 s"; }
else
  echo "no PyTorch here: nothing to compare with"
fi
measure others 150 '-^factor_and_sweep'

# Four programs at a time, each with its share of time; one that does not end in it, or cannot begin, is named, and its
# checks count as not done.
sanitize() {
  local tool=$1 program=$2 code=0
  local log=build/gpu/sanitizer/$tool.$(basename "$program").txt
  local left=$((deadline - $(date +%s)))
  if ((left < 10)); then
    echo "not begun: $tool $(basename "$program")"
    return
  fi
  MIQ_REQUIRE_GPU=1 timeout -k 5 $((left < 90 ? left : 90)) compute-sanitizer --tool "$tool" --error-exitcode 1 "$program" \
    '[device]' >"$log" 2>&1 || code=$?
  case $code in
    0) echo "clean: $tool $(basename "$program")" ;;
    124 | 137) echo "not finished: $tool $(basename "$program")" ;;
    *)
      echo "FAILED: $tool $(basename "$program")"
      tail -n 30 "$log"
      ;;
  esac
}
export -f sanitize
export deadline=$(($(date +%s) - SECONDS + started + ${MIQ_GPU_SECONDS:-480}))
say "compute-sanitizer"
mkdir -p build/gpu/sanitizer
for tool in memcheck racecheck synccheck initcheck; do
  find build/gpu/tests -name 'test_*_device' -type f -perm -u+x -printf "$tool\n%p\n"
done | xargs -P 4 -n 2 bash -c 'sanitize "$0" "$1"' | tee "$out/sanitizers.txt"
if grep -q '^FAILED' "$out/sanitizers.txt"; then status=1; fi
say "Done, status $status"
exit $status
