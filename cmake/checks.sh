#!/usr/bin/env bash
# What can be said of the sources without building them: formatting, links and paths in the documentation, what
# examples include, doxygen's warnings, clang-tidy.
# Installs what is missing. Without arguments all checks run; otherwise those that are named: format, links, public, site,
# tidy.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/set_up.sh"
cd "$miq_root"

miq_needs+=('clang-format command:clang-format' 'clang-tidy command:clang-tidy' 'doxygen command:doxygen' 'python3 command:python3')
miq_install_missing

check_format() {
  miq_say "Formatting"
  # Versions of clang-format differ in their taste: Debian 12's decides.
  local version files
  version=$(clang-format --version | sed 's/.*version \([0-9]*\).*/\1/')
  if [[ $version != 14 ]]; then
    printf 'SKIPPED: clang-format is %s, and 14 decides\n' "$version"
    return
  fi
  mapfile -t files < <(find include kernels tests examples bench cmake -name '*.hpp' -o -name '*.cpp' -o -name '*.inl' -o \
    -name '*.cuh' -o -name '*.cu')
  clang-format --dry-run -Werror "${files[@]}" || miq_stop "run clang-format -i on the files that are named above"
}

check_links() {
  miq_say "Links and paths in the documentation"
  cmake/check_links.py || miq_stop "the documentation names what is not there"
}

# Examples are what users copy.
check_public() {
  miq_say "Examples use the public interface"
  if grep -rnE 'miq::detail|miq/([a-z]+/)?detail/' --include='*.[ch]pp' examples; then miq_stop "examples reach into miq::detail"; fi
}

check_site() {
  miq_say "The documentation as a site"
  cmake/docs_site.sh build/site
}

# The translation units of miq::precompiled, which hold the bodies of all public functions of the host.
check_tidy() {
  miq_say "clang-tidy"
  local flags=(-std=c++20 -Iinclude -DMIQ_PRECOMPILED -isystem "$(pkg-config --variable=prefix eigen3)/include/eigen3")
  printf '%s\n' include/precompiled/*.cpp |
    xargs -P "$(miq_cores)" -I{} clang-tidy --quiet --warnings-as-errors='*' {} -- "${flags[@]}" ||
    miq_stop "clang-tidy found something"
}

if (($# == 0)); then set -- format links public site tidy; fi
for check in "$@"; do
  case $check in
    format | links | public | site | tidy) "check_$check" ;;
    *) miq_stop "checks are format, links, public, site and tidy, got $check" ;;
  esac
done
miq_say "All checks passed: $*"
