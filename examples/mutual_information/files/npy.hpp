// files/npy.hpp: NumPy's .npy files, read without trust and written whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <miq/core/matrix_view.hpp>
#include <span>
#include <string>
#include <vector>

#include "common/mapped_file.hpp"

namespace mutual_information {

/// Whether a file begins as .npy files do.
bool is_npy(std::span<const std::byte> bytes);

/// An array of numbers in a .npy file (format versions 1, 2 and 3; `numpy.lib.format`), which stays on disk until its
/// elements are asked for. Of the element types, booleans, integers of 8 to 64 bits and floats of 16, 32 and 64 bits
/// are read, in either byte order; objects, structures, texts, dates, complex and longer floats are refused.
class npy_array {
 public:
  /// Reads the header. Allocates what the header says of itself, at most 64 KiB, whatever it promises of the data.
  /// @throws examples::input_error naming the file, if the header is not that, or the file does not hold exactly the
  /// bytes that it promises
  explicit npy_array(examples::mapped_file file);

  std::span<const std::int64_t> shape() const { return shape_; }
  /// Whether the first index runs fastest in memory.
  bool fortran_order() const { return fortran_order_; }
  /// As NumPy writes it: `<f4`.
  const std::string& type() const { return type_; }
  /// Whether float holds every value: floats of 16 and 32 bits, integers of 8 and 16, booleans.
  bool fits_float() const;

  /// The element at `place` in memory, as a double. (Integers beyond 2^53 are rounded.)
  double operator[](std::int64_t place) const;

 private:
  examples::mapped_file file_;
  std::vector<std::int64_t> shape_;
  std::string type_;
  char kind_ = 'f';       // b, i, u or f
  std::size_t size_ = 4;  // bytes of an element
  bool swapped_ = false;  // in another byte order than this machine's
  bool fortran_order_ = false;
  std::span<const std::byte> data_;
};

/// Writes a matrix whose rows are contiguous, as version 1.0, `<f4` or `<f8`. The file appears whole or not
/// at all. @throws examples::input_error
void write_npy(const std::filesystem::path& file, miq::matrix_view<const float> matrix);
void write_npy(const std::filesystem::path& file, miq::matrix_view<const double> matrix);

}  // namespace mutual_information
