// Layers to compress, methods to compress them by, and what must hold of the result, worked out without the library.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <Eigen/Dense>

#include <miq/compress.hpp>
#include <miq/core/random.hpp>

#include "test_support/catch.hpp"

namespace miq_test {

/// Columns in `blocks` blocks, dealt out in turn; those of one block share a signal of correlation `rho`.
inline miq::matrix<float> block_activations(std::int64_t tokens, std::int64_t columns, std::int64_t blocks, double rho,
                                            std::uint64_t seed) {
  miq::random_stream random(seed);
  miq::matrix<float> x(tokens, columns);
  std::vector<double> signal(static_cast<std::size_t>(blocks));
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (auto& s : signal) s = random.normal();
    for (std::int64_t c = 0; c < columns; ++c)
      x(t, c) = static_cast<float>(std::sqrt(rho) * signal[static_cast<std::size_t>(c % blocks)] +
                                   std::sqrt(1 - rho) * random.normal());
  }
  return x;
}

/// What a layer receives after earlier ones were compressed: the dense input, mixed and with noise.
inline miq::matrix<float> drifted(const miq::matrix<float>& dense, std::uint64_t seed) {
  const auto columns = dense.columns();
  miq::matrix<float> now(dense.rows(), columns);
  miq::random_stream random(seed);
  for (std::int64_t t = 0; t < now.rows(); ++t)
    for (std::int64_t c = 0; c < columns; ++c)
      now(t, c) = 0.8F * dense(t, c) + 0.3F * dense(t, (c + 7) % columns) + 0.1F * static_cast<float>(random.normal()) +
                  (c == 4 ? 0.5F : 0.0F);
  return now;
}

inline miq::matrix<float> random_weights(std::int64_t rows, std::int64_t columns, std::uint64_t seed) {
  miq::random_stream random(seed);
  miq::matrix<float> w(rows, columns);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) w(r, c) = static_cast<float>(random.normal());
  return w;
}

template <class T>
bool same(const miq::matrix<T>& a, const miq::matrix<T>& b) {
  return a.rows() == b.rows() && a.columns() == b.columns() && std::equal(a.data(), a.data() + a.size(), b.data());
}

inline Eigen::MatrixXd to_eigen(const miq::matrix<float>& m) {
  return Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(m.data(), m.rows(),
                                                                                                 m.columns())
      .cast<double>();
}

/// The bits of a layer, counted weight by weight from what it holds.
inline double count_bits(const miq::compressed_layer& layer) {
  double bits = 0;
  std::int64_t masked = 0;
  for (std::int64_t r = 0; r < layer.kept.rows(); ++r)
    for (std::int64_t c = 0; c < layer.kept.columns(); ++c) {
      const auto group = static_cast<std::size_t>(layer.groups.labels()[static_cast<std::size_t>(c)]);
      if (layer.kept(r, c) != 0) bits += layer.bits[group];
      masked += layer.kept(r, c) == 0 ? 1 : 0;
    }
  if (masked > 0) bits += static_cast<double>(layer.kept.size());
  using miq::quantization::grid_layout;
  using miq::quantization::scale_format;
  const auto& grids = layer.grids;
  const bool logarithms = grids.format == scale_format::logarithmic8;
  const double scale = logarithms ? 8 : (grids.format == scale_format::float32 ? 32 : 16);
  const bool rank_one = grids.layout == grid_layout::row_by_group || grids.layout == grid_layout::row_by_column;
  const auto groups = layer.groups.groups();
  bits += scale * static_cast<double>(grids.scale.size() + static_cast<std::int64_t>(grids.row_factor.size()));
  CHECK(grids.row_factor.empty() != rank_one);
  if (logarithms) bits += rank_one ? 32 : 16;  // the smallest exponents
  // A zero point, or a gap, for each scale; with rank-one scales for each group.
  for (std::int64_t r = 0; r < grids.scale.rows() && !rank_one; ++r)
    for (const auto width : grids.bits) bits += width;
  for (std::int64_t g = 0; g < groups && rank_one; ++g) bits += layer.bits[static_cast<std::size_t>(g)];
  if (groups > 1) bits += 3.0 * static_cast<double>(groups);
  if (groups > 1 && groups < layer.kept.columns()) {
    int index = 0;
    while ((std::int64_t{1} << index) < groups) ++index;
    bits += static_cast<double>(layer.kept.columns() * index);
  }
  return bits;
}

struct named_options {
  const char* name;
  miq::compress_options options;
};

inline std::vector<named_options> all_methods(double sparsity, int bits) {
  std::vector<named_options> methods{{"sparsegpt", miq::sparsegpt_options(sparsity, bits)},
                                     {"enhanced", miq::enhanced_options(sparsity, bits)},
                                     {"mi", miq::mi_options(sparsity, bits)}};
  using miq::quantization::grid_layout;
  using miq::quantization::grid_symmetry;
  using miq::quantization::scale_format;
  const auto variant = [&](const char* name, const auto& change) {
    auto options = miq::mi_options(sparsity, bits);
    change(options);
    methods.push_back({name, options});
  };
  variant("mi, scales per row and group", [](auto& o) {
    o.fit.layout = grid_layout::per_row_and_group;
    o.groups = 2;
    o.budget.minimum_bits = 1;
  });
  variant("mi, one scale a group, mask inside the sweep", [](auto& o) {
    o.fit.layout = grid_layout::per_group;
    o.timing = miq::mask_timing::inside_sweep;
  });
  variant("mi, number of groups chosen, masks per row, asymmetric half-precision scales per channel", [](auto& o) {
    o.groups = 0;
    o.mask = miq::obs::mask_scope::row;
    o.fit.layout = grid_layout::per_column;
    o.fit.symmetry = grid_symmetry::asymmetric;
    o.fit.format = scale_format::float16;
    o.budget.minimum_bits = 1;
  });
  variant("mi, rank one by group, columns by descending diagonal, importance", [](auto& o) {
    o.fit.layout = grid_layout::row_by_group;
    o.order = miq::column_order::descending_diagonal;
    o.allocation = miq::bit_allocation::by_importance;
    o.method = miq::mask_method::pruning_sweep;
  });
  variant("mi, group after group, no refit, magnitudes over the layer", [](auto& o) {
    o.order = miq::column_order::by_group;
    o.method = miq::mask_method::selection;
    o.saliency = miq::mask_saliency::magnitude;
    o.refit_iterations = -1;
    o.split_groups = false;
  });
  variant("mi, representatives last, Wanda, Gauss-Seidel", [](auto& o) {
    o.order = miq::column_order::representatives;
    o.method = miq::mask_method::pruning_sweep;
    o.saliency = miq::mask_saliency::wanda;
    o.refit_iterations = 0;
  });
  variant("mi, 2:4", [](auto& o) {
    o.mask = miq::obs::mask_scope::n_of_m;
    o.method = miq::mask_method::pruning_sweep;
  });
  variant("mi, 2:4 selected, columns by descending diagonal", [](auto& o) {
    o.mask = miq::obs::mask_scope::n_of_m;
    o.method = miq::mask_method::selection;
    o.order = miq::column_order::descending_diagonal;
  });
  return methods;
}

/// How many weights are masked at a sparsity of 1/2, where rounding down may leave a few more.
inline std::int64_t masked_at_one_half(const miq::compress_options& options, std::int64_t rows, std::int64_t columns) {
  using miq::obs::mask_scope;
  if (options.mask == mask_scope::n_of_m)  // two of a last group with fewer than four columns stay, or all
    return rows * (columns / 4 * 2 + std::max<std::int64_t>(0, columns % 4 - 2));
  const bool at_once =
      options.method == miq::mask_method::selection && options.timing == miq::mask_timing::before_sweep;
  std::int64_t masked = 0;
  for (std::int64_t first = 0; first < columns; first += at_once ? columns : 128) {
    const auto width = std::min<std::int64_t>(at_once ? columns : 128, columns - first);
    masked += options.mask == mask_scope::row ? rows * static_cast<std::int64_t>(0.5 * static_cast<double>(width))
                                              : static_cast<std::int64_t>(0.5 * static_cast<double>(rows * width));
  }
  return masked;
}

/// Codes, grids and mask belong together, the storage is counted right, and the loss is the quadratic form of the error
/// with the Hessian of the activations `x`; the sparsity is 1/2.
inline void check_layer(const miq::compressed_layer& layer, const miq::matrix<float>& weights,
                        const miq::matrix<float>& x, const miq::compress_options& options) {
  const auto rows = weights.rows(), columns = weights.columns();
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) {
      const auto grid = layer.grids.at(r, c);
      const float expected = layer.kept(r, c) != 0 ? miq::quantization::dequantise(layer.codes(r, c), grid) : 0.0F;
      if (layer.weights(r, c) != expected || layer.codes(r, c) > grid.maximum_code) {
        FAIL("row " << r << ", column " << c << ": " << layer.weights(r, c) << " instead of " << expected);
      }
    }

  const auto& storage = layer.report.storage;
  CHECK(storage.total() == count_bits(layer));
  CHECK(storage.weights - storage.kept == masked_at_one_half(options, rows, columns));

  Eigen::MatrixXd h(columns, columns);
  const auto xd = to_eigen(x);
  h = 2.0 / static_cast<double>(x.rows()) * xd.transpose() * xd;
  const Eigen::VectorXd diagonal = h.diagonal();
  for (std::int64_t c = 0; c < columns; ++c)
    h(c, c) += layer.report.damping *
               (options.factor.rule == miq::obs::damping_rule::mean_diagonal ? diagonal.mean() : diagonal(c));
  const Eigen::MatrixXd error = to_eigen(weights) - to_eigen(layer.weights);
  const double loss = 0.5 * (error * h * error.transpose()).trace();
  // Where weights were refitted the reported sum lacks what the refit has not yet found.
  const bool refitted = !layer.report.refit_loss.empty();
  CHECK(refitted == (options.timing == miq::mask_timing::before_sweep && options.refit_iterations >= 0));
  CHECK(layer.report.loss == Approx(loss).epsilon(refitted ? 0.05 : 1e-3));
  double rows_loss = 0;
  for (const double l : layer.row_loss) rows_loss += l;
  CHECK(rows_loss == Approx(layer.report.loss).epsilon(1e-9));

  std::int64_t kept = 0;
  std::int64_t members = 0;
  for (const auto& group : layer.report.groups) {
    kept += group.kept;
    members += group.columns;
  }
  CHECK(kept == storage.kept);
  CHECK(members == columns);
}

}  // namespace miq_test
