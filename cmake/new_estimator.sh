#!/usr/bin/env bash
# Writes the skeleton of an estimator of mutual information and enters it in the lists: docs/architecture.md, "add an
# estimator". Its test fails until the estimator is written.
set -euo pipefail

if (($# != 1)) || [[ ! $1 =~ ^[a-z][a-z0-9_]*$ ]]; then
  printf 'Usage: cmake/new_estimator.sh NAME    NAME in lower case, such as copula_knots\n' >&2
  exit 1
fi
name=$1
cd "$(dirname "${BASH_SOURCE[0]}")/.."
include=include/miq/information
for file in "$include/${name}"{_options,}.hpp "$include/detail/$name" kernels/information/"$name"{_cuda.hpp,.cuh} \
  "kernels/precompiled/information_$name.cu" "tests/information/${name}_test.cpp"; do
  if [[ -e $file ]]; then
    printf 'error: there is %s already\n' "$file" >&2
    exit 1
  fi
done

# write FILE: standard input with @ replaced by the name
write() {
  mkdir -p "$(dirname "$1")"
  sed "s/@/$name/g" >"$1"
  printf '%s\n' "$1"
}
# enter FILE PATTERN LINE: adds the line after the last one that matches
enter() {
  awk -v pattern="$2" -v line="$3" '
    { lines[NR] = $0; if ($0 ~ pattern) last = NR }
    END { if (!last) exit 1; for (i = 1; i <= NR; ++i) { print lines[i]; if (i == last) print line } }' "$1" >"$1.new" ||
    { printf 'error: %s has no line like %s\n' "$1" "$2" >&2; exit 1; }
  mv "$1.new" "$1"
  printf '%s\n' "$1"
}

write "$include/${name}_options.hpp" <<'END'
// information/@_options.hpp: options and results, for the host and for devices.
#pragma once

#include <miq/information/estimate.hpp>

namespace miq::information {

/// What `@` may be asked for.
struct @_options {
  bool clip_negative = false;  ///< whether negative estimates become 0
};

/// What happened on the way.
struct @_result : estimate_result {};

/// See `estimator_traits`.
template <>
struct estimator_traits<@_options> {
  using result = @_result;
  static constexpr const char* name = "@";
  static constexpr auto entropies = entropy_kind::none;  // with another kind: a function `entropy`, too
  static auto estimate(const auto&... arguments) -> decltype(@(arguments...)) { return @(arguments...); }
};

}  // namespace miq::information
END
write "$include/$name.hpp" <<'END'
// information/@.hpp: TODO one line.
#pragma once

#include <span>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/progress.hpp>
#include <miq/information/@_options.hpp>

namespace miq::information {

/// TODO what is computed, as a formula, in nats; the source of the method; bias; the least T.
///
/// @param samples  [T, c], finite
/// @param mi       [c, c], written whole, symmetric to the bit; the diagonal is 0
/// @throws invalid_argument  TODO
template <executor Exec>
@_result @(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
           matrix_view<float, memory_of<Exec>> mi, const @_options& options = {},
           const progress_callback& progress = {});

/// The same for the listed pairs.
/// @param mi  [pairs.size()]
template <executor Exec>
@_result @(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples, std::span<const channel_pair> pairs,
           vector_view<float, memory_of<Exec>> mi, const @_options& options = {},
           const progress_callback& progress = {});

/// The same for one pair, x and y [T].
template <executor Exec>
double @(const Exec& exec, vector_view<const float, memory_of<Exec>> x, vector_view<const float, memory_of<Exec>> y,
         const @_options& options = {});

}  // namespace miq::information

#if !defined(MIQ_PRECOMPILED)
#include <miq/information/detail/@/host.inl>
#endif
END
write "$include/detail/$name/host.inl" <<'END'
#pragma once

#include <miq/information/@.hpp>
#include <miq/information/detail/samples/samples.hpp>

namespace miq::information {

template <executor Exec>
@_result @(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
           matrix_view<float, memory_of<Exec>> /*mi*/, const @_options& /*options*/,
           const progress_callback& /*progress*/) {
  detail::require_samples(exec, "@", samples, 2);
  miq::detail::require(false, "@: all pairs are not written yet");
  return {};
}

template <executor Exec>
@_result @(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
           std::span<const channel_pair> /*pairs*/, vector_view<float, memory_of<Exec>> /*mi*/,
           const @_options& /*options*/, const progress_callback& /*progress*/) {
  detail::require_samples(exec, "@", samples, 2);
  miq::detail::require(false, "@: lists of pairs are not written yet");
  return {};
}

template <executor Exec>
double @(const Exec& /*exec*/, vector_view<const float, memory_of<Exec>> /*x*/,
         vector_view<const float, memory_of<Exec>> /*y*/, const @_options& /*options*/) {
  miq::detail::require(false, "@: single pairs are not written yet");
  return 0;
}

}  // namespace miq::information
END
write "$include/detail/$name/body.hpp" <<'END'
// TODO what the kernel bodies do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include <miq/core/group.hpp>

namespace miq::information::detail {

/// All pairs; one row of the matrix per block.
struct @_body {
  static constexpr int lanes = 128;

  const float* samples = nullptr;  // [tokens, channels]
  std::int64_t leading = 0;
  std::int64_t tokens = 0;
  std::int64_t channels = 0;
  float* mi = nullptr;  // [channels, channels]
  std::int64_t mi_leading = 0;

  std::int64_t blocks() const { return channels; }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t i, std::byte* /*scratch*/) const {
    for (std::int64_t j = group.rank(); j < channels; j += group.size())
      mi[i * mi_leading + j] = i == j ? 0.0F : std::numeric_limits<float>::quiet_NaN();  // TODO
  }
};

}  // namespace miq::information::detail
END
write "$include/detail/$name/schedule.hpp" <<'END'
// `@` on a machine (core/detail/machine.hpp): which bodies run, in which order, on which memory.
#pragma once

#include <cstdint>

#include <miq/information/detail/@/body.hpp>

namespace miq::information::detail {

template <class Machine>
void @_on_machine(const Machine& machine, const float* samples, std::int64_t leading, std::int64_t tokens,
                  std::int64_t channels, float* mi, std::int64_t mi_leading) {
  machine.launch("@", @_body{samples, leading, tokens, channels, mi, mi_leading});
}

}  // namespace miq::information::detail
END
write "kernels/information/${name}_cuda.hpp" <<'END'
// information/@_cuda.hpp: `@` (information/@.hpp) on a device.
#pragma once

#include <span>

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/information/@_options.hpp>

namespace miq::information {
inline namespace MIQ_CUDA_NAMESPACE {

/// As `@` on the host, of samples in device memory. TODO memory, synchronisation, accuracy.
MIQ_CUDA_API @_result @(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                        matrix_view<float, device_memory> mi, const @_options& options = {});

/// The same for pairs that are listed on the host.
MIQ_CUDA_API @_result @(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                        std::span<const channel_pair> pairs, vector_view<float, device_memory> mi,
                        const @_options& options = {});

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::information
END
write "kernels/information/$name.cuh" <<'END'
// information/@.cuh: the bodies of information/@_cuda.hpp; needs nvcc.
#pragma once

#include <miq/core/machine.cuh>
#include <miq/information/@_cuda.hpp>
#include <miq/information/detail/@/schedule.hpp>

namespace miq::information {
inline namespace MIQ_CUDA_NAMESPACE {

MIQ_CUDA_API @_result @(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                        matrix_view<float, device_memory> mi, const @_options& /*options*/) {
  detail::@_on_machine(device::stream_machine(exec), samples.data(), samples.leading(), samples.rows(),
                       samples.columns(), mi.data(), mi.leading());
  return {};
}

MIQ_CUDA_API @_result @(const cuda_executor& /*exec*/, matrix_view<const float, device_memory> /*samples*/,
                        std::span<const channel_pair> /*pairs*/, vector_view<float, device_memory> /*mi*/,
                        const @_options& /*options*/) {
  miq::detail::require(false, "@: lists of pairs are not written yet");
  return {};
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::information
END
write "kernels/precompiled/information_$name.cu" <<'END'
#include <miq/information/@.cuh>
END
write "tests/information/${name}_test.cpp" <<'END'
// `@`: the host against closed forms; the bodies on lanes and the simulated device against the host.
#include <cmath>

#include <miq/core/random.hpp>
#include <miq/information/@.hpp>
#include <miq/information/@_cuda.hpp>
#include <miq/information/detail/@/schedule.hpp>

#include "test_support/catch.hpp"
#include "test_support/device.hpp"
#include "test_support/host_machine.hpp"

namespace {

using namespace miq::information;

/// Two Gaussian channels with correlation rho.
miq::matrix<float> gaussian_pair(double rho, std::int64_t tokens) {
  miq::random_stream random(miq_test::seed());
  miq::matrix<float> x(tokens, 2);
  for (std::int64_t t = 0; t < tokens; ++t) {
    const double a = random.normal();
    x(t, 0) = static_cast<float>(a);
    x(t, 1) = static_cast<float>(rho * a + std::sqrt(1 - rho * rho) * random.normal());
  }
  return x;
}

const miq::host_executor host({.threads = 2});

}  // namespace

TEST_CASE("@ of Gaussian pairs is the closed form", "[information]") {
  const double rho = GENERATE(0.5, 0.9);
  const auto x = gaussian_pair(rho, 4000);
  miq::matrix<float> mi(2, 2);
  @(host, x.view(), mi.view());
  // TODO derive the margin from the estimator's variance.
  CHECK(static_cast<double>(mi(0, 1)) == Approx(-0.5 * std::log1p(-rho * rho)).margin(0.1));
  CHECK(mi(1, 0) == mi(0, 1));
  CHECK(mi(0, 0) == 0.0F);
}

TEST_CASE("@ on lanes and on a device gives what the host gives", "[information][device]") {
  const auto x = gaussian_pair(0.7, 1000);
  miq::matrix<float> expected(2, 2), got(2, 2);
  @(host, x.view(), expected.view());
  const int lanes = GENERATE(0, 4);
  detail::@_on_machine(miq_test::host_machine(lanes), x.data(), 2, 1000, 2, got.data(), 2);
  CHECK(got(0, 1) == Approx(expected(0, 1)));
  MIQ_NEEDS_DEVICE();
  const miq::cuda_executor exec(nullptr);
  const miq_test::device_matrix<float> samples(exec, x.view()), mi(exec, 2, 2);
  @(exec, samples.read(), mi.view());
  CHECK(mi.fetch(exec)(0, 1) == Approx(expected(0, 1)));
}
END

# change FILE EXPRESSION: by sed, which must change something
change() {
  local before
  before=$(<"$1")
  sed -i -E "$2" "$1"
  [[ $(<"$1") != "$before" ]] || { printf 'error: nothing in %s matches %s\n' "$1" "$2" >&2; exit 1; }
}
change "$include/estimator_options.hpp" "s/(std::variant<.*|^ +.*)_options>;/\\1_options, ${name}_options>;/"
enter "$include/estimator_options.hpp" '^#include <miq/information/.*_options.hpp>' "#include <miq/information/${name}_options.hpp>"
enter "$include/estimator.hpp" '^#include <miq/information/.*>' "#include <miq/information/$name.hpp>"
enter include/precompiled/information.cpp '^#include ' "#include <miq/information/detail/$name/host.inl>"
sed "s/@/$name/g" >"$include/instances.new" <<'END'

template @_result @(const host_executor&, matrix_view<const float>, matrix_view<float>, const @_options&,
                    const progress_callback&);
template @_result @(const host_executor&, matrix_view<const float>, std::span<const channel_pair>,
                    vector_view<float>, const @_options&, const progress_callback&);
template double @(const host_executor&, vector_view<const float>, vector_view<const float>, const @_options&);
END
sed -i "/^namespace miq::information {/r $include/instances.new" include/precompiled/information.cpp
rm "$include/instances.new"
change kernels/information/estimator.cuh "s|^#include <miq/information/kde_cuda.hpp>|&\n#include <miq/information/${name}_cuda.hpp>|"
change kernels/information/estimator.cuh "s|^#include <miq/information/kde.cuh>|&\n#include <miq/information/$name.cuh>|"
printf '%s\n' kernels/information/estimator.cuh
enter kernels/cuda.hpp '^#include <miq/information/' "#include <miq/information/${name}_cuda.hpp>"
enter tests/information/CMakeLists.txt '^miq_add_device_test' "miq_add_device_test(information_$name SOURCES ${name}_test.cpp)"
printf '\n## %s\n\nTODO: what it estimates, when to use it, its bias and cost.\n' "$name" >>docs/information.md
printf '%s\n' docs/information.md
if command -v clang-format >/dev/null 2>&1; then
  clang-format -i "$include/${name}"*.hpp "$include/detail/$name/"* "kernels/information/$name"* \
    "tests/information/${name}_test.cpp" "$include/estimator"{,_options}.hpp kernels/information/estimator.cuh \
    kernels/cuda.hpp include/precompiled/information.cpp
fi
