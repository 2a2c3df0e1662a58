// core/error.hpp: the exceptions that miq throws.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace miq {

/// Base of everything miq throws on its own account. The message names the function, the argument, what was expected
/// and what came.
class error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// An argument is outside what the function accepts: a shape, a range, a value that is not finite. Outputs are
/// untouched.
class invalid_argument : public error {
 public:
  using error::error;
};

/// The arithmetic cannot go on: a matrix that stays indefinite whatever the damping, an iteration that does not
/// converge.
class numerical_error : public error {
 public:
  using error::error;
};

/// Memory that was asked for could not be had, or a workspace is smaller than the size query said.
class out_of_memory : public error {
 public:
  using error::error;
};

/// A progress callback asked to stop. Outputs are unspecified but valid.
class cancelled : public error {
 public:
  using error::error;
};

namespace detail {

template <class... Parts>
std::string join_message(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return text.str();
}

/// `[rows, columns]` as errors print shapes. The text is made only when it is printed.
template <class Rows, class Columns>
struct shape_text {
  constexpr shape_text(Rows r, Columns c) : rows(r), columns(c) {}
  friend std::ostream& operator<<(std::ostream& out, const shape_text& shape) {
    return out << '[' << shape.rows << ", " << shape.columns << ']';
  }

  Rows rows;
  Columns columns;
};

/// Throws `invalid_argument` with the parts joined, unless `condition` holds.
template <class... Parts>
void require(bool condition, const Parts&... parts) {
  if (!condition) throw invalid_argument(join_message(parts...));
}

}  // namespace detail
}  // namespace miq
