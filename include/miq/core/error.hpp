// core/error.hpp: the exceptions that miq throws.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

#include <miq/core/version.hpp>

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

struct shape_text;

/// One part of a message: text, a number, or a shape. Refers to what it was made from; written out only when a message
/// is.
class message_part {
 public:
  message_part(std::string_view text) : kind_(kind::text), text_(text) {}
  message_part(const char* text) : message_part(std::string_view(text)) {}
  message_part(const std::string& text) : message_part(std::string_view(text)) {}
  message_part(char letter) : kind_(kind::letter), letter_(letter) {}
  template <std::signed_integral T>
  message_part(T number) : kind_(kind::whole), whole_(number) {}
  template <std::unsigned_integral T>
  message_part(T number) : kind_(kind::natural), natural_(number) {}
  template <std::floating_point T>
  message_part(T number) : kind_(kind::real), real_(static_cast<double>(number)) {}
  message_part(const shape_text& shape) : kind_(kind::shape), shape_(&shape) {}

  /// Numbers as C++ streams write them by default: six significant digits.
  void append_to(std::string& message) const;

 private:
  enum class kind : unsigned char { text, letter, whole, natural, real, shape };
  kind kind_;
  union {
    std::string_view text_;
    char letter_;
    std::int64_t whole_;
    std::uint64_t natural_;
    double real_;
    const shape_text* shape_;
  };
};

/// `[rows, columns]` as errors print shapes.
struct shape_text {
  message_part rows;
  message_part columns;

  shape_text(const message_part& r, const message_part& c) : rows(r), columns(c) {}
};

std::string joined(std::initializer_list<message_part> parts);
[[noreturn]] void throw_invalid(std::initializer_list<message_part> parts);

template <class... Parts>
std::string join_message(const Parts&... parts) {
  return joined({message_part(parts)...});
}

/// Throws `invalid_argument` with the parts joined, unless `condition` holds.
template <class... Parts>
void require(bool condition, const Parts&... parts) {
  if (!condition) [[unlikely]]
    throw_invalid({message_part(parts)...});
}

}  // namespace detail
}  // namespace miq

#if !defined(MIQ_PRECOMPILED)
#include <miq/core/detail/error.inl>
#endif
