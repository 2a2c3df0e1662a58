#!/usr/bin/env bash
# Everything that only a GPU can show, in one run of minutes: builds, device tests, compute-sanitizer, timings.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'END'
Usage: bench/gpu_check.sh [--pack | --quick]

Without options, on a machine with a GPU, nvcc, CMake and ninja: builds the device tests and benchmarks for the GPU at
hand, runs the tests (a missing device is a failure), compute-sanitizer over a reduced set, and the benchmarks.
Writes what it finds to $OUT, or build/gpu.

  --pack    on a machine with Eigen and Catch2 installed: copies their headers to gpu_dependencies/, which git ignores,
            so that a bare machine can build
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
  -D MIQ_BUILD_EXAMPLES=OFF -D MIQ_INSTALL=OFF \
  -D CMAKE_PREFIX_PATH="$PWD/gpu_dependencies" >"$out/configure.txt" || { cat "$out/configure.txt"; exit 1; }
cmake --build build/gpu --target device_tests bench_device >"$out/build.txt" 2>&1 || { tail -n 60 "$out/build.txt"; exit 1; }

say "Device tests"
status=0
MIQ_REQUIRE_GPU=1 ctest --test-dir build/gpu -L device --output-on-failure | tee "$out/tests.txt" || status=1
[[ $quick == no ]] || exit $status

# Each program has its share of time; one that does not end in it is named, and its checks count as not done.
for tool in memcheck racecheck synccheck initcheck; do
  say "compute-sanitizer $tool"
  while read -r program; do
    code=0
    MIQ_REQUIRE_GPU=1 timeout 60 compute-sanitizer --tool "$tool" --error-exitcode 1 "$program" '[device]' \
      >"$out/sanitizer.txt" 2>&1 || code=$?
    case $code in
      0) echo "clean: $(basename "$program")" ;;
      124) echo "not finished in 60 s: $(basename "$program")" ;;
      *)
        echo "FAILED: $(basename "$program")"
        tail -n 30 "$out/sanitizer.txt"
        ;;
    esac
  done < <(find build/gpu/tests -name 'test_*_device' -type f -perm -u+x) | tee "$out/$tool.txt"
  if grep -q '^FAILED' "$out/$tool.txt"; then status=1; fi
done

say "Benchmarks"
build/gpu/bench/device/bench_device | tee "$out/benchmarks.txt" || status=1
say "Done, status $status"
exit $status
