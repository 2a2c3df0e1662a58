#include <miq/quantization/detail/fit/host.inl>
#include <miq/quantization/detail/packed_layer/host.inl>
#include <miq/quantization/detail/packing/host.inl>
#include <miq/quantization/detail/storage/host.inl>

namespace miq::quantization {

template grid_set fit_grids(const host_executor&, const weights_view<>&, vector_view<const std::int32_t>,
                            std::span<const std::uint8_t>, const fit_options&, vector_view<const float>,
                            matrix_view<const std::uint8_t>, fit_result*);
template matrix<double> grid_errors(const host_executor&, const weights_view<>&, vector_view<const std::int32_t>,
                                    std::int64_t, std::span<const std::uint8_t>, const fit_options&,
                                    vector_view<const float>, matrix_view<const std::uint8_t>);

template void pack_layer(const host_executor&, const packed_layer_source&, std::span<std::byte>);
template std::vector<std::byte> pack_layer(const host_executor&, const packed_layer_source&);
template std::vector<std::byte> pack_pruned_layer(const host_executor&, matrix_view<const float>,
                                                  matrix_view<const std::uint8_t>);
template void unpack_layer(const host_executor&, const packed_layer_view&, matrix_view<float>);
template void unpack_layer(const host_executor&, const packed_layer_view&, matrix_view<float16>);
template void unpack_layer(const host_executor&, const packed_layer_view&, matrix_view<bfloat16>);
template matrix<float> unpack_layer(const host_executor&, const packed_layer_view&);
template void unpack_layer_codes(const host_executor&, const packed_layer_view&, matrix_view<std::uint8_t>,
                                 matrix_view<std::uint8_t>);

template void pack_codes(const host_executor&, vector_view<const std::uint8_t>, int, vector_view<std::uint32_t>);
template void unpack_codes(const host_executor&, vector_view<const std::uint32_t>, int, vector_view<std::uint8_t>);
template void pack_kept_codes(const host_executor&, vector_view<const std::uint8_t>, vector_view<const std::uint8_t>,
                              int, vector_view<std::uint32_t>);
template void unpack_kept_codes(const host_executor&, vector_view<const std::uint32_t>, vector_view<const std::uint8_t>,
                                int, vector_view<std::uint8_t>);

}  // namespace miq::quantization
