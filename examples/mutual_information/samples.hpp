// samples.hpp: the matrix that is looked at: tokens by channels, from a file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <miq/core/matrix.hpp>
#include <string>
#include <vector>

namespace mutual_information {

struct samples {
  miq::matrix<float> values;          ///< [tokens, channels], finite
  std::vector<std::string> names;     ///< of the channels: the file's, else their numbers
  std::vector<std::int64_t> tokens;   ///< which tokens of the file these are, ascending
  std::int64_t tokens_in_file = 0;    ///< how many it has
  std::vector<std::int64_t> shifted;  ///< channels that were moved before they were rounded to float, see there
  std::string format;                 ///< `csv`, or `npy` with the type of the elements
};

/// Reads a `.npy` file or a text with one line for each token (told apart by their first bytes).
///
/// With more tokens than `most_tokens`, those are taken whose `miq::random_hash(seed, place)` is smallest: a uniform
/// sample without replacement, in the order of the file. Of a .npy file only these are read.
///
/// Values are rounded to float. A channel of a wider type that lies far from 0 for its range (|x| beyond 64 ranges)
/// would lose its differences, and is moved by its smallest value first; mutual information does not change with that.
///
/// @param most_tokens  0: all
/// @throws examples::input_error naming the file and the place in it: not a matrix of two dimensions, no tokens or no
/// channels, more than 65536 channels, a value that is NaN, infinite or out of float's range (naming the channel)
samples read_samples(const std::filesystem::path& file, std::int64_t most_tokens, std::uint64_t seed);

/// Classes, one for each token.
struct class_labels {
  std::vector<std::int32_t> labels;  ///< [tokens], numbered in order of first appearance
  std::vector<std::string> names;    ///< of the classes
};

/// Reads a single column of classes: a `.npy` file with one dimension, or with two and one column; or a text of one
/// cell a line, of numbers or words, with or without a header (told by the number of lines).
/// @param used  the samples that the classes belong to: the file must have a line for each token of theirs
/// @throws examples::input_error
class_labels read_labels(const std::filesystem::path& file, const samples& used);

}  // namespace mutual_information
