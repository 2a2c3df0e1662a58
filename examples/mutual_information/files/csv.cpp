#include "mutual_information/files/csv.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "common/errors.hpp"

namespace mutual_information {

namespace {

[[noreturn]] void fail(const std::string& source, std::int64_t line, const std::string& reason) {
  throw examples::input_error(source + ": line " + std::to_string(line) + ": " + reason);
}

/// Goes through a text line by line.
class line_reader {
 public:
  explicit line_reader(std::string_view text) : rest_(text) {}

  /// The next line without its end; false behind the last one.
  bool next(std::string_view& line) {
    if (rest_.empty()) return false;
    const auto end = rest_.find('\n');
    line = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    ++number_;
    return true;
  }
  /// Of the line that was read last, counted from 1.
  std::int64_t number() const { return number_; }

 private:
  std::string_view rest_;
  std::int64_t number_ = 0;
};

bool is_space(char c) { return c == ' ' || c == '\t'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// Takes the cells of a line off one by one.
class cell_reader {
 public:
  cell_reader(std::string_view line, char separator, const std::string& source, std::int64_t number)
      : rest_(line), separator_(separator), source_(source), number_(number) {}

  /// The next cell, valid until the next call; false behind the last one. A line has at least one cell.
  bool next(std::string_view& cell) {
    if (done_) return false;
    ++column_;
    while (!rest_.empty() && rest_.front() != separator_ && is_space(rest_.front())) rest_.remove_prefix(1);
    if (!rest_.empty() && rest_.front() == '"') {
      cell = quoted();
      return true;
    }
    const auto end = rest_.find(separator_);
    cell = trimmed(rest_.substr(0, end));
    advance(end);
    return true;
  }
  /// Of the cell that was read last, counted from 1.
  std::int64_t column() const { return column_; }

 private:
  std::string_view rest_;
  char separator_;
  const std::string& source_;
  std::int64_t number_;
  std::int64_t column_ = 0;
  bool done_ = false;
  std::string unquoted_;

  void advance(std::size_t end) {
    done_ = end == std::string_view::npos;
    rest_ = done_ ? std::string_view() : rest_.substr(end + 1);
  }

  std::string_view quoted() {
    unquoted_.clear();
    for (std::size_t i = 1;; ++i) {
      if (i >= rest_.size())
        fail(source_, number_, "column " + std::to_string(column_) + ": a quote is not closed on its line");
      if (rest_[i] != '"') {
        unquoted_ += rest_[i];
      } else if (i + 1 < rest_.size() && rest_[i + 1] == '"') {
        unquoted_ += rest_[++i];
      } else {
        rest_.remove_prefix(i + 1);
        break;
      }
    }
    const auto end = rest_.find(separator_);
    if (!trimmed(rest_.substr(0, end)).empty())
      fail(source_, number_, "column " + std::to_string(column_) + ": there is text behind a closing quote");
    advance(end);
    return trimmed(unquoted_);
  }
};

enum class number_kind { number, out_of_range, other };

number_kind parse_number(std::string_view cell, double& value) {
  if (cell.size() > 1 && cell.front() == '+' && cell[1] != '-') cell.remove_prefix(1);
  const auto [end, failure] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (failure == std::errc::invalid_argument || end != cell.data() + cell.size()) return number_kind::other;
  return failure == std::errc() ? number_kind::number : number_kind::out_of_range;
}

char first_separator(std::string_view line) {
  bool inside = false;
  for (const char c : line) {
    if (c == '"') inside = !inside;
    if (!inside && (c == ',' || c == ';' || c == '\t')) return c;
  }
  return ',';
}

std::string count_of_cells(std::int64_t count) { return std::to_string(count) + (count == 1 ? " cell" : " cells"); }

}  // namespace

csv_text::csv_text(std::string_view text, std::string source) : text_(text), source_(std::move(source)) {
  if (text_.substr(0, 3) == "\xEF\xBB\xBF") text_.remove_prefix(3);
  // What is blank at the end.
  const auto last = text_.find_last_not_of(" \t\r\n");
  text_ = last == std::string_view::npos ? std::string_view() : text_.substr(0, text_.find('\n', last));
  if (text_.empty()) throw examples::input_error(source_ + ": is empty");
  if (text_.find('\0') != std::string_view::npos)
    throw examples::input_error(source_ + ": is neither a .npy file nor text (it holds NUL bytes)");

  line_reader lines(text_);
  std::string_view first;
  lines.next(first);
  if (trimmed(first).empty()) fail(source_, 1, "is blank");
  const bool commented = first.front() == '#';
  if (commented) first.remove_prefix(1);
  separator_ = first_separator(first);
  auto cells = cells_of(first, 1);
  columns_ = static_cast<std::int64_t>(cells.size());
  double ignored = 0;
  const bool numbers = std::all_of(cells.begin(), cells.end(), [&](const std::string& cell) {
    return parse_number(cell, ignored) != number_kind::other;
  });
  if (commented || !numbers) header_ = std::move(cells);
  rows_ = std::count(text_.begin(), text_.end(), '\n') + (header_.empty() ? 1 : 0);
}

std::vector<std::string> csv_text::cells_of(std::string_view line, std::int64_t number) const {
  std::vector<std::string> cells;
  cell_reader reader(line, separator_, source_, number);
  for (std::string_view cell; reader.next(cell);) cells.emplace_back(cell);
  return cells;
}

void csv_text::for_rows(const std::function<void(std::int64_t, std::span<const double>)>& visit) const {
  line_reader lines(text_);
  std::string_view line;
  if (!header_.empty()) lines.next(line);
  std::vector<double> values(static_cast<std::size_t>(columns_));
  for (std::int64_t row = 0; lines.next(line); ++row) {
    cell_reader reader(line, separator_, source_, lines.number());
    for (std::string_view cell; reader.next(cell);) {
      if (reader.column() > columns_) continue;  // they are counted for the message below
      const auto place = "column " + std::to_string(reader.column()) + ": ";
      switch (parse_number(cell, values[static_cast<std::size_t>(reader.column() - 1)])) {
        case number_kind::number:
          break;
        case number_kind::out_of_range:
          fail(source_, lines.number(), place + "'" + std::string(cell) + "' is beyond what double holds");
        case number_kind::other:
          if (columns_ > 1 && trimmed(line).empty()) fail(source_, lines.number(), "is blank");
          fail(source_, lines.number(),
               place + (cell.empty() ? "the cell is empty" : "'" + std::string(cell) + "' is not a number"));
      }
    }
    if (reader.column() != columns_)
      fail(source_, lines.number(),
           "has " + count_of_cells(reader.column()) + ", the first line " + count_of_cells(columns_));
    visit(row, values);
  }
}

std::vector<std::string> csv_text::single_column() const {
  std::vector<std::string> column;
  line_reader lines(text_);
  for (std::string_view line; lines.next(line);) {
    auto cells = cells_of(line, lines.number());
    if (cells.size() != 1) fail(source_, lines.number(), "has " + count_of_cells(std::ssize(cells)) + " instead of 1");
    column.push_back(std::move(cells.front()));
  }
  return column;
}

}  // namespace mutual_information
