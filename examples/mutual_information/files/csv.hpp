// files/csv.hpp: tables of numbers as text, read without trust.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mutual_information {

/// A text of separated cells: commas, semicolons or tabs, whichever of these comes first in the first line; lines end
/// in LF or CRLF; cells may be in double quotes, with `""` for a quote, but not run over a line's end. Blank lines at
/// the end do not count, nor does a byte order mark. Refers to the text, which must outlive it.
class csv_text {
 public:
  /// Reads the first line and counts the others.
  /// @param source  the file, for errors
  /// @throws examples::input_error if the text is empty or holds NUL bytes, or the first line is not well-formed
  csv_text(std::string_view text, std::string source);

  /// The cells of the first line, if at least one of them is not a number (or the line begins with `#`, which is then
  /// left out); else empty.
  const std::vector<std::string>& header() const { return header_; }
  std::int64_t columns() const { return columns_; }
  /// Lines behind the header.
  std::int64_t rows() const { return rows_; }

  /// Calls `visit(row, values)` for each row in order; `values` are its numbers, NaN and infinity among them.
  /// @throws examples::input_error with the line, and the column where there is one, if a row has more or fewer cells
  /// than the first, or a cell is not a number that double can hold
  void for_rows(const std::function<void(std::int64_t, std::span<const double>)>& visit) const;

  /// The cells of a text with one column, header included, as they stand there without quotes and outer spaces.
  /// @throws examples::input_error with the line, if there are more columns
  std::vector<std::string> single_column() const;

 private:
  std::string_view text_;
  std::string source_;
  char separator_ = ',';
  std::vector<std::string> header_;
  std::int64_t columns_ = 0;
  std::int64_t rows_ = 0;

  std::vector<std::string> cells_of(std::string_view line, std::int64_t number) const;
};

}  // namespace mutual_information
