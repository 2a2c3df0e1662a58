#include "mutual_information/samples.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <miq/core/random.hpp>
#include <numeric>
#include <utility>

#include "common/errors.hpp"
#include "common/mapped_file.hpp"
#include "mutual_information/files/csv.hpp"
#include "mutual_information/files/npy.hpp"

namespace mutual_information {

namespace {

using examples::input_error;
using examples::mapped_file;

constexpr std::int64_t most_channels = 65536;

std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (const auto extent : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + ']';
}

/// The shortest decimal number that is this one.
std::string exact_text(double value) {
  std::array<char, 40> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

/// Places 0 .. total-1, or those `most` of them with the smallest hashes, ascending.
std::vector<std::int64_t> chosen_tokens(std::int64_t total, std::int64_t most, std::uint64_t seed) {
  std::vector<std::int64_t> places(static_cast<std::size_t>(total));
  std::iota(places.begin(), places.end(), std::int64_t{0});
  if (most == 0 || total <= most) return places;
  const auto hash = [seed](std::int64_t place) { return miq::random_hash(seed, static_cast<std::uint64_t>(place)); };
  std::nth_element(places.begin(), places.begin() + most, places.end(),
                   [&](std::int64_t a, std::int64_t b) { return hash(a) < hash(b); });
  places.resize(static_cast<std::size_t>(most));
  std::sort(places.begin(), places.end());
  return places;
}

void check_shape(const std::string& source, std::int64_t tokens, std::int64_t channels) {
  if (tokens == 0) throw input_error(source + ": has no tokens");
  if (channels == 0) throw input_error(source + ": has no channels");
  if (channels > most_channels)
    throw input_error(source + ": has " + std::to_string(channels) + " channels; " + std::to_string(most_channels) +
                      " are the most (is it transposed?)");
}

/// Names the value of `channel` at `token` (of the file) in an error.
[[noreturn]] void refuse_value(const std::string& source, const samples& result, std::int64_t channel,
                               std::int64_t token, double value, const std::string& reason) {
  const auto& name = result.names[static_cast<std::size_t>(channel)];
  const auto number = std::to_string(channel);
  throw input_error(source + ": channel " + (name == number ? number : "'" + name + "' (column " + number + ")") +
                    ", token " + std::to_string(token) + " (both counted from 0): " + exact_text(value) + ' ' + reason);
}

/// Fills `result.values` from `value(t, c)`, t counting `result.tokens`.
template <class Value>
void round_to_float(const std::string& source, samples& result, bool wide, bool by_columns, Value&& value) {
  const auto tokens = std::ssize(result.tokens);
  const auto channels = std::ssize(result.names);
  struct range {
    double low = std::numeric_limits<double>::infinity();
    double high = -std::numeric_limits<double>::infinity();
  };
  std::vector<range> ranges(static_cast<std::size_t>(channels));
  const auto for_all = [&](auto&& visit) {
    if (by_columns)
      for (std::int64_t c = 0; c < channels; ++c)
        for (std::int64_t t = 0; t < tokens; ++t) visit(t, c);
    else
      for (std::int64_t t = 0; t < tokens; ++t)
        for (std::int64_t c = 0; c < channels; ++c) visit(t, c);
  };
  const auto refuse = [&](std::int64_t t, std::int64_t c, const std::string& reason) {
    refuse_value(source, result, c, result.tokens[static_cast<std::size_t>(t)], value(t, c), reason);
  };
  for_all([&](std::int64_t t, std::int64_t c) {
    const double x = value(t, c);
    if (!std::isfinite(x)) refuse(t, c, "is not finite");
    auto& seen = ranges[static_cast<std::size_t>(c)];
    seen.low = std::min(seen.low, x);
    seen.high = std::max(seen.high, x);
  });
  std::vector<double> shifts(static_cast<std::size_t>(channels), 0.0);
  if (wide)
    for (std::size_t c = 0; c < shifts.size(); ++c) {
      const auto& [low, high] = ranges[c];
      // (A constant channel far from 0 stays what it is.)
      if (high == low || std::max(std::abs(low), std::abs(high)) <= 64 * (high - low)) continue;
      shifts[c] = low;
      result.shifted.push_back(static_cast<std::int64_t>(c));
    }
  result.values = miq::matrix<float>(tokens, channels);
  for_all([&](std::int64_t t, std::int64_t c) {
    const double exact = value(t, c) - shifts[static_cast<std::size_t>(c)];
    const auto rounded = static_cast<float>(exact);
    if (!std::isfinite(rounded)) refuse(t, c, "is beyond what single precision holds");
    result.values(t, c) = rounded;
  });
  // Differences that single precision cannot hold would silently make a constant channel.
  for (std::int64_t c = 0; c < channels; ++c) {
    const auto& [low, high] = ranges[static_cast<std::size_t>(c)];
    if (wide && high > low && high - low < static_cast<double>(std::numeric_limits<float>::min()))
      refuse(0, c, "and all others of the channel are closer to each other than single precision tells apart");
  }
}

std::vector<std::string> numbers_as_names(std::int64_t channels) {
  std::vector<std::string> names;
  for (std::int64_t c = 0; c < channels; ++c) names.push_back(std::to_string(c));
  return names;
}

samples read_npy_samples(mapped_file mapped, std::int64_t most_tokens, std::uint64_t seed) {
  const auto source = mapped.path().string();
  const npy_array array(std::move(mapped));
  const auto shape = array.shape();
  if (shape.size() != 2)
    throw input_error(source + ": must be a matrix [tokens, channels], got shape " + shape_text(shape));
  const auto total = shape[0];
  const auto channels = shape[1];
  check_shape(source, total, channels);
  samples result;
  result.format = "npy " + array.type();
  result.names = numbers_as_names(channels);
  result.tokens_in_file = total;
  result.tokens = chosen_tokens(total, most_tokens, seed);
  const bool fortran = array.fortran_order();
  round_to_float(source, result, !array.fits_float(), fortran, [&](std::int64_t t, std::int64_t c) {
    const auto token = result.tokens[static_cast<std::size_t>(t)];
    return array[fortran ? c * total + token : token * channels + c];
  });
  return result;
}

samples read_csv_samples(const mapped_file& mapped, std::int64_t most_tokens, std::uint64_t seed) {
  const auto source = mapped.path().string();
  const csv_text text(mapped.text(), source);
  check_shape(source, text.rows(), text.columns());
  samples result;
  result.format = "csv";
  result.names = numbers_as_names(text.columns());
  for (std::size_t c = 0; c < text.header().size(); ++c)
    if (!text.header()[c].empty()) result.names[c] = text.header()[c];
  result.tokens_in_file = text.rows();
  result.tokens = chosen_tokens(text.rows(), most_tokens, seed);
  std::vector<double> kept;
  std::size_t next = 0;
  text.for_rows([&](std::int64_t row, std::span<const double> values) {
    if (next == result.tokens.size() || result.tokens[next] != row) return;
    ++next;
    kept.insert(kept.end(), values.begin(), values.end());
  });
  round_to_float(source, result, true, false, [&](std::int64_t t, std::int64_t c) {
    return kept[static_cast<std::size_t>(t * text.columns() + c)];
  });
  return result;
}

}  // namespace

samples read_samples(const std::filesystem::path& file, std::int64_t most_tokens, std::uint64_t seed) {
  mapped_file mapped(file);
  if (is_npy(mapped.bytes())) return read_npy_samples(std::move(mapped), most_tokens, seed);
  if (file.extension() == ".npy") throw input_error(file.string() + ": not a .npy file");
  if (mapped.text().substr(0, 4) == "PK\x03\x04")
    throw input_error(file.string() + ": is a zip archive (.npz?); save the array by itself, with numpy.save");
  return read_csv_samples(mapped, most_tokens, seed);
}

class_labels read_labels(const std::filesystem::path& file, const samples& used) {
  const auto source = file.string();
  mapped_file mapped(file);
  std::vector<std::string> words;  // one for each token that is used
  const auto check_length = [&](std::int64_t length) {
    if (length != used.tokens_in_file)
      throw input_error(source + ": must hold a label for each of the " + std::to_string(used.tokens_in_file) +
                        " tokens, got " + std::to_string(length));
  };
  if (is_npy(mapped.bytes())) {
    const npy_array array(std::move(mapped));
    const auto shape = array.shape();
    if (shape.empty() || shape.size() > 2 || (shape.size() == 2 && shape[1] != 1))
      throw input_error(source + ": must be a single column of labels, got shape " + shape_text(shape));
    check_length(shape[0]);
    for (const auto token : used.tokens) {
      const double label = array[token];
      if (!std::isfinite(label))
        throw input_error(source + ": label " + std::to_string(token) + " (counted from 0) is not finite");
      words.push_back(exact_text(label));
    }
  } else {
    const csv_text text(mapped.text(), source);
    const auto column = text.single_column();
    const auto lines = std::ssize(column);
    const std::int64_t header = lines == used.tokens_in_file + 1 ? 1 : 0;
    check_length(lines - header);
    for (const auto token : used.tokens) words.push_back(column[static_cast<std::size_t>(token + header)]);
  }
  class_labels result;
  std::map<std::string, std::int32_t> numbers;
  for (const auto& word : words) {
    const auto [found, is_new] = numbers.try_emplace(word, static_cast<std::int32_t>(numbers.size()));
    if (is_new) result.names.push_back(word);
    result.labels.push_back(found->second);
  }
  return result;
}

}  // namespace mutual_information
