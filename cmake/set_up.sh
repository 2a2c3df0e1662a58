# What tests/run.sh and examples/demo.sh share: install what is missing, configure, build. To be sourced by bash.
# shellcheck shell=bash

miq_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

miq_say() { printf '\n== %s\n' "$*"; }
miq_stop() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Debian package and what it is needed for: `command:NAME` must be found in PATH, `pkg:NAME` by pkg-config, `file:PATH`
# by the C++ compiler. A line whose need is met some other way than by Debian's package counts as met.
miq_needs=(
  'g++ command:c++'
  'cmake command:cmake'
  'ninja-build command:ninja'
  'pkg-config command:pkg-config'
  'libeigen3-dev pkg:eigen3'
  'catch2 file:catch2/catch_version_macros.hpp file:catch2/catch.hpp'
  'libbenchmark-dev file:benchmark/benchmark.h'
  'nlohmann-json3-dev file:nlohmann/json.hpp'
  'libcli11-dev file:CLI/CLI.hpp'
  'libstb-dev file:stb/stb_image_write.h file:stb_image_write.h'
  'libpcre2-dev pkg:libpcre2-8'
  'libzip-dev pkg:libzip'
)

miq_is_met() {
  case $1 in
    command:*) command -v "${1#command:}" ;;
    pkg:*) pkg-config --exists "${1#pkg:}" ;;
    file:*) printf '#if !__has_include(<%s>)\n#error missing\n#endif\n' "${1#file:}" | c++ -std=c++17 -E -x c++ - ;;
  esac >/dev/null 2>&1
}

# Prints the packages of which no need is met.
miq_missing_packages() {
  local line package need met
  for line in "${miq_needs[@]}"; do
    met=no
    package=${line%% *}
    for need in ${line#* }; do
      if miq_is_met "$need"; then
        met=yes
        break
      fi
    done
    if [[ $met == no ]]; then printf '%s\n' "$package"; fi
  done
}

# Installs what is missing where there is apt; elsewhere names it and stops. Does nothing when all is there.
miq_install_missing() {
  local missing as_root=()
  mapfile -t missing < <(miq_missing_packages)
  if ((${#missing[@]})); then
    if ! command -v apt-get >/dev/null 2>&1; then
      miq_stop "these are missing (names as in Debian), and there is no apt-get to install them: ${missing[*]}"
    fi
    if ((EUID != 0)); then
      command -v sudo >/dev/null 2>&1 ||
        miq_stop "these packages are missing; install them as root: apt-get install ${missing[*]}"
      as_root=(sudo)
    fi
    miq_say "Installing ${missing[*]}"
    "${as_root[@]}" apt-get update || miq_say "apt-get update failed; trying with the lists that are there"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" ||
      miq_stop "apt-get could not install: ${missing[*]}"
    mapfile -t missing < <(miq_missing_packages)
    if ((${#missing[@]})); then miq_stop "still missing after the installation: ${missing[*]}"; fi
  fi
  local cmake_version
  cmake_version=$(cmake --version | sed -n '1s/[^0-9]*\([0-9.]*\).*/\1/p')
  if [[ $(printf '%s\n' 3.25 "$cmake_version" | sort -V | head -n 1) != 3.25 ]]; then
    miq_stop "CMake 3.25 or newer is needed, found $cmake_version"
  fi
}

miq_cores() { nproc 2>/dev/null || getconf _NPROCESSORS_ONLN; }

# miq_build PRESET [CMAKE_ARGUMENT...] [-- TARGET...]: configures and builds; all targets unless some are named.
miq_build() {
  local preset=$1 arguments=() targets=()
  shift
  while (($#)) && [[ $1 != -- ]]; do
    arguments+=("$1")
    shift
  done
  if (($#)); then shift; fi
  if (($#)); then targets=(--target "$@"); fi
  miq_say "Configuring $preset"
  cmake --preset "$preset" -S "$miq_root" "${arguments[@]}"
  miq_say "Building $preset"
  cmake --build "$miq_root/build/$preset" --parallel "$(miq_cores)" "${targets[@]}"
}
