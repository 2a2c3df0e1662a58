#pragma once

#include <charconv>

#include <miq/core/error.hpp>

namespace miq::detail {

MIQ_API void message_part::append_to(std::string& message) const {
  char digits[32];
  const auto append = [&](std::to_chars_result end) { message.append(digits, end.ptr); };
  switch (kind_) {
    case kind::text:
      message.append(text_);
      break;
    case kind::letter:
      message.push_back(letter_);
      break;
    case kind::whole:
      append(std::to_chars(digits, digits + sizeof digits, whole_));
      break;
    case kind::natural:
      append(std::to_chars(digits, digits + sizeof digits, natural_));
      break;
    case kind::real:
      append(std::to_chars(digits, digits + sizeof digits, real_, std::chars_format::general, 6));
      break;
    case kind::shape:
      message.push_back('[');
      shape_->rows.append_to(message);
      message.append(", ");
      shape_->columns.append_to(message);
      message.push_back(']');
      break;
  }
}

MIQ_API std::string joined(std::initializer_list<message_part> parts) {
  std::string message;
  for (const auto& part : parts) part.append_to(message);
  return message;
}

MIQ_API void throw_invalid(std::initializer_list<message_part> parts) { throw invalid_argument(joined(parts)); }

}  // namespace miq::detail
