// calibration/accumulator_cuda.hpp: statistics of activations that lie on a device, in one pass (as accumulator.hpp).
#pragma once

#include <cstdint>

#include <miq/calibration/accumulator_options.hpp>
#include <miq/calibration/activation.hpp>
#include <miq/calibration/cross_statistics.hpp>
#include <miq/calibration/detail/accumulator/schedule.hpp>
#include <miq/calibration/statistics.hpp>
#include <miq/calibration/token_sample.hpp>
#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>

namespace miq::calibration {
inline namespace MIQ_CUDA_NAMESPACE {

/// Statistics of c columns in device memory, owned: 4 c^2 + 16 c bytes. What takes a `statistics_view<device_memory>`
/// takes `view()`.
struct device_statistics {
  std::int64_t tokens = 0;
  device_array<float> covariance;     ///< [c, c], symmetric to the bit
  device_array<float> mean;           ///< [c]
  device_array<float> mean_absolute;  ///< [c]
  device_array<float> minimum;        ///< [c]
  device_array<float> maximum;        ///< [c]

  std::int64_t columns() const { return mean.size(); }
  statistics_view<device_memory> view() const {
    return {tokens,         covariance.as_matrix(columns(), columns()),
            mean.view(),    mean_absolute.view(),
            minimum.view(), maximum.view()};
  }
  /// A copy on the host. Synchronises.
  statistics fetch(const cuda_executor& exec) const;
};

/// The tokens of a sample in device memory, owned.
struct device_token_sample {
  std::vector<std::int64_t> indices;  ///< places in the whole stream, ascending; on the host
  device_array<float> tokens;         ///< [indices.size(), c], in the order of `indices`

  matrix_view<const float, device_memory> view() const {
    const auto rows = static_cast<std::int64_t>(indices.size());
    return tokens.as_matrix(rows, rows == 0 ? 0 : tokens.size() / rows);
  }
  /// A copy on the host. Synchronises.
  token_sample fetch(const cuda_executor& exec) const;
};

/// Bytes of scratch that any call of a `device_accumulator` of c columns needs, at most 8250 c: 114 MB at
/// c = 13824.
std::int64_t accumulator_workspace_bytes(std::int64_t columns);

/// `accumulator` for batches in device memory: the same statistics, the same sample to the bit, the same merging.
///
/// **Arithmetic.** As on the host: the stream is cut into tiles of `tile_tokens` by position; tokens of an incomplete
/// tile wait, as floats, in device memory. One pass over a batch converts it and adds to column sums, sums of
/// magnitudes, minima and maxima (in double, in the order of the tokens). When a tile is complete, its own mean is
/// taken off, products are formed in float by cuBLAS (no TF32) in panels of 512 columns, and are joined to totals in
/// double by the update of Chan, Golub and LeVeque. So neither a mean of 10^4 deviations nor a drifting one costs
/// accuracy. cuBLAS does not say in which order it adds: covariance (i, j) is off by at most 2^-14 sqrt(C_ii C_jj) (512
/// products in a row, and the centring), in practice by 2^-20; results agree with the host's within the sum of both
/// bounds. Means, mean amplitudes, ranges and constancy are as exact as on the host.
///
/// **Contents are not checked**, since that would need a synchronisation: a value that is NaN, infinite or beyond
/// `accumulator::max_magnitude` is counted (`unusable`). The mean, mean amplitude, minimum and maximum of its column
/// are NaN from then on, and so are the column's covariances with all columns that are not constant; the others are not
/// touched. In the sample it is NaN.
///
/// **Determinism.** The same tokens in the same order give the same bits for any batches, as far as cuBLAS gives the
/// same bits for the same products: on one device model, with one version and one workspace of it.
///
/// **Memory**, from the resource of the executor given to the constructor, all of it at once: 4 c (tile_tokens + c +
/// 512) + 408 c bytes, and 4 c sample_tokens. On the host 24 bytes for each token of the sample.
///
/// Executors given to the functions must be of the constructor's device, and of its stream or of one that the caller
/// has put in order with it. Used by one thread at a time. Nothing here may be captured into a graph and replayed: the
/// host counts the tokens. After an error other than `invalid_argument` the contents are unspecified. Moves, does not
/// copy; what was moved from may be assigned to or destroyed.
class device_accumulator {
 public:
  static constexpr std::int64_t tile_tokens = detail::tile_tokens;

  /// Allocates; does not synchronise. @throws invalid_argument as `accumulator`'s constructor does
  explicit device_accumulator(const cuda_executor& exec, std::int64_t columns, const accumulator_options& options = {});

  /// Takes in the tokens of a batch, in order. Does not synchronise; does not allocate device memory if `scratch` is
  /// given.
  ///
  /// @param batch    [tokens, c] of float, float16 or bfloat16, any number of tokens, 0 included
  /// @param scratch  `accumulator_workspace_bytes(c)`
  /// @throws invalid_argument if `batch` has another number of columns
  ///
  /// Cost: one pass over the batch; for every `tile_tokens` tokens, about c (c + 512) tile_tokens multiply-adds in
  /// float and 12 c (c + 512) bytes for the totals.
  template <activation T>
  void add(const cuda_executor& exec, matrix_view<const T, device_memory> batch, device_workspace scratch = {});

  /// Takes in what another has seen, as `accumulator::merge` says. Does not synchronise; does not allocate device
  /// memory if `scratch` is given.
  /// @throws invalid_argument as there; the accumulator is unchanged
  void merge(const cuda_executor& exec, const device_accumulator& other, device_workspace scratch = {});

  std::int64_t columns() const { return core_.columns; }
  std::int64_t tokens() const { return core_.counts.tokens(); }
  std::int64_t next_token() const { return core_.next_token; }

  /// The statistics of all tokens so far; the accumulator goes on afterwards as if nothing had happened. Allocates the
  /// result. Does not synchronise. @throws invalid_argument if no token was seen
  device_statistics finish(const cuda_executor& exec, device_workspace scratch = {}) const;

  /// The sample so far. Allocates the result; does not synchronise.
  device_token_sample sample(const cuda_executor& exec) const;

  /// How many values were not finite or too large. Synchronises.
  std::int64_t unusable(const cuda_executor& exec) const;

 private:
  detail::accumulator_core core_;
  device_array<std::byte> memory_;
};

/// `hessian` of statistics in device memory. Does not allocate, does not synchronise, may be captured. The same bits as
/// on the host. Contents are not checked. @throws invalid_argument as on the host
MIQ_CUDA_API void hessian(const cuda_executor& exec, const statistics_view<device_memory>& statistics,
                          matrix_view<float, device_memory> hessian);

/// What `device_cross_moments::finish` returns, owned.
struct device_cross_statistics {
  std::int64_t tokens = 0;
  device_array<float> moment;       ///< [a, b]: 2/n sum x y^T
  device_array<float> first_mean;   ///< [a]
  device_array<float> second_mean;  ///< [b]

  matrix_view<const float, device_memory> moment_view() const {
    return moment.as_matrix(first_mean.size(), second_mean.size());
  }
  /// A copy on the host. Synchronises.
  cross_statistics fetch(const cuda_executor& exec) const;
};

/// Bytes of scratch that any call of a `device_cross_moments` needs.
std::int64_t cross_moments_workspace_bytes(std::int64_t first_columns, std::int64_t second_columns);

/// `cross_moments` for batches in device memory: arithmetic, contents that are not finite (a column's row or column of
/// the moment becomes NaN, with `difference` also that of the column it is taken from), determinism and the rules for
/// executors as in `device_accumulator`.
///
/// **Memory**, from the resource of the executor given to the constructor: 4 (a + b) tile_tokens + 8 a b bytes and 136
/// (a + b).
class device_cross_moments {
 public:
  static constexpr std::int64_t tile_tokens = detail::tile_tokens;

  /// Allocates; does not synchronise. @throws invalid_argument as `cross_moments`'s constructor does
  device_cross_moments(const cuda_executor& exec, std::int64_t first_columns, std::int64_t second_columns,
                       const cross_moments_options& options = {});

  /// Takes in the tokens of a batch, in order. Does not synchronise; does not allocate if `scratch` is given.
  /// @param first, second  [tokens, a] and [tokens, b]
  /// @param scratch        `cross_moments_workspace_bytes(a, b)`
  /// @throws invalid_argument if shapes do not fit
  template <activation First, activation Second>
  void add(const cuda_executor& exec, matrix_view<const First, device_memory> first,
           matrix_view<const Second, device_memory> second, device_workspace scratch = {});

  /// As `cross_moments::merge`. Does not synchronise; does not allocate if `scratch` is given.
  void merge(const cuda_executor& exec, const device_cross_moments& other, device_workspace scratch = {});

  std::int64_t first_columns() const { return core_.memory.shape.rows; }
  std::int64_t second_columns() const { return core_.memory.shape.columns; }
  std::int64_t tokens() const { return core_.counts.tokens(); }

  /// The moments of all tokens so far. Allocates the result; does not synchronise.
  /// @throws invalid_argument if no token was seen
  device_cross_statistics finish(const cuda_executor& exec, device_workspace scratch = {}) const;

  /// How many values of both streams were not finite or too large. Synchronises.
  std::int64_t unusable(const cuda_executor& exec) const;

 private:
  detail::cross_core core_;
  device_array<std::byte> memory_;
};

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::calibration
