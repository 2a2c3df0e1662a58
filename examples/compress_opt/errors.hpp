// errors.hpp: what goes wrong with the files that the program reads and writes.
#pragma once

#include <filesystem>
#include <string>

#include "common/errors.hpp"

namespace compress_opt {

using namespace examples;  // what the examples share goes by its plain name here

/// A checkpoint cannot be read or written: a missing, truncated or corrupt file, a wrong shape, a weight that is not
/// finite, a full disk. The message names the file and, where there is one, the tensor.
class checkpoint_error : public input_error {
 public:
  using input_error::input_error;
};

/// A text or a vocabulary cannot be read: invalid UTF-8 (with its byte offset), an empty text, one shorter than a
/// window.
class text_error : public input_error {
 public:
  using input_error::input_error;
};

/// Calls `work` and turns the errors of the parts that know files only, and of the file system, into the caller's kind.
template <class Error, class Function>
auto errors_as(Function&& work) {
  try {
    return work();
  } catch (const Error&) {
    throw;
  } catch (const input_error& failure) {
    throw Error(failure.what());
  } catch (const std::filesystem::filesystem_error& failure) {
    throw Error(failure.what());
  }
}

}  // namespace compress_opt
