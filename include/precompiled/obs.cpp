#include <miq/obs/detail/factor/host.inl>
#include <miq/obs/detail/mask/host.inl>
#include <miq/obs/detail/mask_search/host.inl>
#include <miq/obs/detail/refit/host.inl>
#include <miq/obs/detail/sweep/host.inl>
#include <miq/obs/detail/target/host.inl>

namespace miq::obs {

template factor_result factor(const host_executor&, matrix_view<const float>, matrix_view<float>, const factor_options&,
                              workspace);

template std::int64_t select_mask(const host_executor&, const weights_view<>&, vector_view<const float>,
                                  matrix_view<std::uint8_t>, const mask_options&);

template mask_search_result mask_search(const host_executor&, const mask_search_inputs<>&, const mask_search_outputs<>&,
                                        const mask_search_options&, workspace, const progress_callback&);

template refit_result refit(const host_executor&, const refit_inputs<>&, const refit_outputs<>&, const refit_options&,
                            workspace, const progress_callback&);

template sweep_result sweep(const host_executor&, const sweep_inputs<>&, const sweep_outputs<>&, const sweep_options&,
                            workspace, const progress_callback&);
template sweep_result sweep(const host_executor&, const sweep_inputs<host_memory, float16>&,
                            const sweep_outputs<host_memory, float16>&, const sweep_options&, workspace,
                            const progress_callback&);
template sweep_result sweep(const host_executor&, const sweep_inputs<host_memory, bfloat16>&,
                            const sweep_outputs<host_memory, bfloat16>&, const sweep_options&, workspace,
                            const progress_callback&);

template target_result shift_target(const host_executor&, const weights_view<>&, matrix_view<const float>,
                                    matrix_view<const float>, matrix_view<float>, const target_options&, workspace);
template void add_target_ridge(const host_executor&, const weights_view<>&, matrix_view<float>, double);
template target_result shift_target_to_outputs(const host_executor&, const weights_view<>&, matrix_view<const float>,
                                               matrix_view<const float>, matrix_view<float>, const target_options&,
                                               workspace);
template void mean_output(const host_executor&, const weights_view<>&, vector_view<const float>, vector_view<float>);
template void correct_bias(const host_executor&, const weights_view<>&, vector_view<const float>,
                           vector_view<const float>, vector_view<const float>, vector_view<float>);

}  // namespace miq::obs
