// information/affinity.cuh: the bodies of information/affinity_cuda.hpp; needs nvcc.
#pragma once

#include <miq/core/device_result.cuh>
#include <miq/core/launch.cuh>
#include <miq/information/affinity_cuda.hpp>
#include <miq/information/detail/affinity/body.hpp>
#include <miq/information/detail/affinity/checks.hpp>
#include <miq/information/detail/normalisation/names.hpp>

namespace miq::information {
inline namespace MIQ_CUDA_NAMESPACE {
namespace detail_cuda {

template <class Map, class Result>
void map_information(const cuda_executor& exec, const char* name, const matrix_view<const float, device_memory>& mi,
                     const matrix_view<float, device_memory>& out, const Map& map,
                     const result_ref<Result, device_memory>& result) {
  device::write_result(exec, name, result, Result{});
  device::launch(exec, name,
                 detail::information_map_body<Map, Result>{mi.rows(), mi.data(), mi.leading(), out.data(),
                                                           out.leading(), map, result.get()});
}

}  // namespace detail_cuda

MIQ_CUDA_API void affinity(const cuda_executor& exec, matrix_view<const float, device_memory> mi,
                           matrix_view<float, device_memory> out, result_ref<affinity_result, device_memory> result) {
  detail::require_information_shape("affinity", mi, out);
  detail_cuda::map_information(exec, "affinity", mi, out, detail::coefficient_map{}, result);
}

MIQ_CUDA_API void distance(const cuda_executor& exec, matrix_view<const float, device_memory> mi,
                           matrix_view<float, device_memory> out, result_ref<affinity_result, device_memory> result) {
  detail::require_information_shape("distance", mi, out);
  detail_cuda::map_information(exec, "distance", mi, out, detail::distance_map{}, result);
}

MIQ_CUDA_API affinity_result affinity(const cuda_executor& exec, matrix_view<const float, device_memory> mi,
                                      matrix_view<float, device_memory> out) {
  device::result_on_device<affinity_result> result(exec);
  affinity(exec, mi, out, result.ref());
  return result.fetch();
}

MIQ_CUDA_API affinity_result distance(const cuda_executor& exec, matrix_view<const float, device_memory> mi,
                                      matrix_view<float, device_memory> out) {
  device::result_on_device<affinity_result> result(exec);
  distance(exec, mi, out, result.ref());
  return result.fetch();
}

MIQ_CUDA_API void normalise(const cuda_executor& exec, matrix_view<const float, device_memory> mi,
                            vector_view<const float, device_memory> entropies, normalisation how,
                            matrix_view<float, device_memory> out,
                            result_ref<normalisation_result, device_memory> result) {
  detail::require_information_shape("normalise", mi, out);
  if (detail::needs_entropies(how))
    miq::detail::require(entropies.size() == mi.rows(), "normalise: entropies must have ", mi.rows(),
                         " elements for normalisation::", detail::name_of(how), ", got ", entropies.size());
  const auto run = [&](const auto& map) { detail_cuda::map_information(exec, "normalise", mi, out, map, result); };
  switch (how) {
    case normalisation::none:
      return run(detail::ratio_map<normalisation::none>{});
    case normalisation::arithmetic:
      return run(detail::ratio_map<normalisation::arithmetic>{entropies.data()});
    case normalisation::geometric:
      return run(detail::ratio_map<normalisation::geometric>{entropies.data()});
    case normalisation::minimum:
      return run(detail::ratio_map<normalisation::minimum>{entropies.data()});
    case normalisation::maximum:
      return run(detail::ratio_map<normalisation::maximum>{entropies.data()});
    case normalisation::correlation:
    case normalisation::information_coefficient:
      return run(detail::coefficient_map{});
  }
  miq::detail::require(false, "normalise: how must be a normalisation, got ", static_cast<int>(how));
}

MIQ_CUDA_API normalisation_result normalise(const cuda_executor& exec, matrix_view<const float, device_memory> mi,
                                            vector_view<const float, device_memory> entropies, normalisation how,
                                            matrix_view<float, device_memory> out) {
  device::result_on_device<normalisation_result> result(exec);
  normalise(exec, mi, entropies, how, out, result.ref());
  return result.fetch();
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::information
