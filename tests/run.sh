#!/usr/bin/env bash
# Installs what is missing, builds everything and runs all tests.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../cmake/set_up.sh"
cd "$miq_root"

usage() {
  cat <<'END'
Usage: tests/run.sh [options]

Installs what is missing (Debian and Ubuntu, with apt), builds the release preset with all cores and runs all tests.

  --preset NAME   this preset instead of release: dev, release, cuda, asan, tsan
  --race-check    afterwards also some kernel bodies, on lanes that are threads, under ThreadSanitizer
  --sanitizers    afterwards also asan (AddressSanitizer, UndefinedBehaviorSanitizer) and tsan (ThreadSanitizer)
  --python        afterwards also the checks against Python packages, in a virtual environment below build/
                  (downloads PyTorch); MIQ_PYTHON=PROGRAM uses that interpreter and its packages instead
  --gpu           afterwards everything that needs a CUDA device, which must be there: bench/gpu_check.sh
  --strict        warnings are errors
  --help          this text

Optional folder of larger models and texts: MIQ_SHARED_DIR, otherwise `shared` beside the checkout; tests that need it
skip themselves without it. MIQ_TEST_SEED=NUMBER repeats a failed random test.
END
}

preset=release
race_check=no
sanitizers=no
python=no
gpu=no
arguments=()
while (($#)); do
  case $1 in
    --preset)
      (($# > 1)) || miq_stop "--preset needs a name: dev, release, cuda, asan or tsan"
      case $2 in
        dev | release | cuda | asan | tsan) preset=$2 ;;
        *) miq_stop "--preset must be dev, release, cuda, asan or tsan, got $2" ;;
      esac
      shift
      ;;
    --race-check) race_check=yes ;;
    --sanitizers) sanitizers=yes ;;
    --python) python=yes ;;
    --gpu) gpu=yes ;;
    --strict) arguments+=(-D MIQ_WARNINGS_AS_ERRORS=ON) ;;
    --help | -h)
      usage
      exit 0
      ;;
    *)
      printf 'error: unknown option %s\n\n' "$1" >&2
      usage >&2
      exit 1
      ;;
  esac
  shift
done

# Builds and tests one preset; then lists the test cases that skipped themselves, since ctest counts only programs.
run_preset() {
  miq_build "$1" "${arguments[@]}"
  miq_say "Testing $1"
  local status=0 log=build/$1/Testing/Temporary/LastTest.log
  ctest --preset "$1" --parallel "$(miq_cores)" || status=$?
  if grep -q '^SKIPPED' "$log"; then
    printf '\nSkipped, for the reason given:\n'
    grep '^SKIPPED' "$log" | sed "s|$miq_root/||" | sort -u
  fi
  return "$status"
}

# A missing barrier in a kernel is a race between the lanes of its body.
run_race_check() {
  miq_build tsan "${arguments[@]}" -- race_check_tests
  miq_say "Testing kernel bodies under ThreadSanitizer"
  ctest --preset tsan --label-regex '^race_check$' --parallel "$(miq_cores)"
}

# Checks against PyTorch and others, which are too heavy for every run.
run_python() {
  local interpreter=${MIQ_PYTHON:-}
  if [[ -z $interpreter ]]; then
    interpreter=$miq_root/build/python/bin/python
    local stamp=$miq_root/build/python/installed
    if ! cmp -s tests/python/requirements.txt "$stamp"; then
      miq_say "Installing tests/python/requirements.txt into build/python"
      python3 -m venv build/python || miq_stop "python3 with venv is needed (Debian: python3-venv)"
      # The CPU build of PyTorch where it can be had: the default one brings gigabytes of CUDA libraries.
      "$interpreter" -m pip install --quiet torch --index-url https://download.pytorch.org/whl/cpu ||
        miq_say "no CPU build of PyTorch there; taking the default one"
      "$interpreter" -m pip install --quiet -r tests/python/requirements.txt
      BUILD_CUDA_EXT=0 "$interpreter" -m pip install --quiet -r tests/python/requirements-gptq.txt ||
        miq_say "gptqmodel could not be installed; the checks of GPTQ checkpoints against it will be skipped"
      cp tests/python/requirements.txt "$stamp"
    fi
  fi
  miq_say "Testing against Python packages"
  MIQ_BUILD_DIR=$miq_root/build/release "$interpreter" -m unittest discover --verbose -s tests/python -p 'test_*.py'
}

miq_install_missing
run_preset "$preset"
if [[ $race_check == yes ]]; then run_race_check; fi
if [[ $sanitizers == yes ]]; then
  run_preset asan
  run_preset tsan
fi
if [[ $python == yes ]]; then
  if [[ $preset != release ]]; then miq_build release "${arguments[@]}"; fi
  run_python
fi
if [[ $gpu == yes ]]; then
  miq_say "Testing on a device"
  bench/gpu_check.sh
fi
