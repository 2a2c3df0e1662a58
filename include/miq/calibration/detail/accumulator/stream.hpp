// The file format of an accumulator. Version 1, everything little-endian, no padding:
//   8 bytes "miq-acc\n"
//   9 integers of 64 bits: version, tile_tokens, columns c, sample_tokens, seed, next_token, closed tokens, tokens of
//   the
//     incomplete tile, tokens in the sample
//   if there are closed tokens: double sum[c], absolute[c]; float minimum[c], maximum[c];
//     double centred products, the upper triangle row by row: c (c + 1) / 2
//   float incomplete tile [tokens, c]
//   int64 indices of the sample, ascending; float its tokens [., c]
//   64-bit FNV-1a checksum of all bytes before it
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <istream>
#include <ostream>
#include <string_view>
#include <vector>

#include <miq/calibration/detail/accumulator/state.hpp>
#include <miq/core/error.hpp>
#include <miq/core/random.hpp>

namespace miq::calibration::detail {

inline constexpr std::string_view stream_magic = "miq-acc\n";
inline constexpr std::int64_t stream_version = 1;

/// 64-bit FNV-1a (Fowler, Noll and Vo).
class checksum {
 public:
  void take(const char* bytes, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      value_ = (value_ ^ static_cast<unsigned char>(bytes[i])) * std::uint64_t{0x100000001B3};
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xCBF29CE484222325;
};

template <class T>
void swap_to_little_endian(T* values, std::size_t count) {
  if constexpr (std::endian::native == std::endian::big)
    for (std::size_t i = 0; i < count; ++i) {
      auto bytes = std::bit_cast<std::array<char, sizeof(T)>>(values[i]);
      std::reverse(bytes.begin(), bytes.end());
      values[i] = std::bit_cast<T>(bytes);
    }
}

class state_writer {
 public:
  explicit state_writer(std::ostream& out) : out_(out) {}

  template <class T>
  void put(const T* values, std::int64_t count) {
    std::array<T, 1024> part;
    for (std::int64_t done = 0; done < count;) {
      const auto size = static_cast<std::size_t>(std::min<std::int64_t>(count - done, 1024));
      std::copy_n(values + done, size, part.begin());
      swap_to_little_endian(part.data(), size);
      const auto* const bytes = reinterpret_cast<const char*>(part.data());
      sum_.take(bytes, size * sizeof(T));
      out_.write(bytes, static_cast<std::streamsize>(size * sizeof(T)));
      done += static_cast<std::int64_t>(size);
    }
  }
  template <class T>
  void put(T value) {
    put(&value, 1);
  }
  std::uint64_t checksum_so_far() const { return sum_.value(); }

 private:
  std::ostream& out_;
  checksum sum_;
};

class state_reader {
 public:
  explicit state_reader(std::istream& in) : in_(in) {}

  template <class T>
  void get(T* values, std::int64_t count) {
    auto* const bytes = reinterpret_cast<char*>(values);
    const auto size = static_cast<std::streamsize>(static_cast<std::size_t>(count) * sizeof(T));
    in_.read(bytes, size);
    miq::detail::require(in_.gcount() == size, "accumulator::load: the stream ends too early");
    sum_.take(bytes, static_cast<std::size_t>(size));
    swap_to_little_endian(values, static_cast<std::size_t>(count));
  }
  template <class T>
  T get() {
    T value;
    get(&value, 1);
    return value;
  }
  /// Appends, in steps, so that memory never runs far ahead of what the stream holds.
  template <class Vector>
  void append(Vector& to, std::int64_t count) {
    constexpr std::int64_t step = 65536;
    for (std::int64_t done = 0; done < count; done += step) {
      const auto size = std::min(step, count - done);
      to.resize(to.size() + static_cast<std::size_t>(size));
      get(to.data() + to.size() - static_cast<std::size_t>(size), size);
    }
  }
  std::uint64_t checksum_so_far() const { return sum_.value(); }

 private:
  std::istream& in_;
  checksum sum_;
};

/// Where element (i, j), i <= j, of the centred products lies.
inline std::int64_t second_place(std::int64_t i, std::int64_t j, std::int64_t blocks) {
  return upper_block_place(i / block_columns, j / block_columns, blocks) * block_columns * block_columns +
         i % block_columns * block_columns + j % block_columns;
}

inline void write_state(const accumulator_state& state, std::ostream& out) {
  state_writer writer(out);
  const auto c = state.columns;
  writer.put(stream_magic.data(), static_cast<std::int64_t>(stream_magic.size()));
  for (const auto value :
       {stream_version, tile_tokens, c, state.sample_tokens, std::bit_cast<std::int64_t>(state.seed), state.next_token,
        state.closed.tokens, state.buffered, static_cast<std::int64_t>(state.heap.size())})
    writer.put(value);
  if (state.closed.tokens > 0) {
    writer.put(state.closed.sum.data(), c);
    writer.put(state.closed.absolute.data(), c);
    writer.put(state.closed.minimum.data(), c);
    writer.put(state.closed.maximum.data(), c);
    for (std::int64_t i = 0; i < c; ++i)
      for (std::int64_t j = i; j < c;) {
        const auto end = std::min(c, (j / block_columns + 1) * block_columns);
        writer.put(state.closed.second.data() + second_place(i, j, blocks_of(c)), end - j);
        j = end;
      }
  }
  writer.put(state.buffer.data(), state.buffered * c);
  std::vector<sampled_token> order(state.heap.begin(), state.heap.end());
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.index < b.index; });
  for (const auto& token : order) writer.put(token.index);
  for (const auto& token : order) writer.put(state.sample_rows.data() + token.slot * c, c);
  writer.put(writer.checksum_so_far());
  out.flush();
  if (!out) throw error("accumulator::save: writing to the stream failed");
}

inline accumulator_state read_state(std::istream& in, std::pmr::memory_resource* resource) {
  using miq::detail::require;
  state_reader reader(in);
  std::array<char, stream_magic.size()> magic;
  reader.get(magic.data(), static_cast<std::int64_t>(magic.size()));
  require(std::equal(magic.begin(), magic.end(), stream_magic.begin()),
          "accumulator::load: the stream does not hold an accumulator");
  const auto version = reader.get<std::int64_t>();
  require(version == stream_version, "accumulator::load: version must be ", stream_version, ", got ", version);
  const auto tile = reader.get<std::int64_t>();
  require(tile == tile_tokens, "accumulator::load: tiles must have ", tile_tokens, " tokens, got ", tile);

  accumulator_state state(resource);
  const auto c = state.columns = reader.get<std::int64_t>();
  state.sample_tokens = reader.get<std::int64_t>();
  state.seed = reader.get<std::uint64_t>();
  state.next_token = reader.get<std::int64_t>();
  const auto closed_tokens = reader.get<std::int64_t>();
  const auto buffered = reader.get<std::int64_t>();
  const auto sampled = reader.get<std::int64_t>();
  const auto check = [](bool condition, const char* what) {
    require(condition, "accumulator::load: the stream is inconsistent: ", what);
  };
  check(c >= 1 && c <= max_columns, "number of columns");
  check(state.sample_tokens >= 0 && state.sample_tokens <= max_sample_tokens, "size of the sample");
  check(state.next_token >= 0 && state.next_token <= max_token, "place in the stream");
  check(closed_tokens >= 0 && closed_tokens <= max_token, "number of tokens");
  check(buffered >= 0 && buffered < tile_tokens, "tokens of the incomplete tile");
  check(sampled == std::min(state.sample_tokens, closed_tokens + buffered), "tokens in the sample");

  const auto usable = [](float x) { return std::abs(x) <= max_magnitude; };
  std::pmr::vector<double> packed(resource);
  if (closed_tokens > 0) {
    auto& closed = state.closed;
    reader.append(closed.sum, c);
    reader.append(closed.absolute, c);
    reader.append(closed.minimum, c);
    reader.append(closed.maximum, c);
    reader.append(packed, c * (c + 1) / 2);
    const auto most = static_cast<double>(closed_tokens) * static_cast<double>(max_magnitude);
    for (std::size_t i = 0; i < static_cast<std::size_t>(c); ++i) {
      check(std::abs(closed.sum[i]) <= most, "column sums");
      check(closed.absolute[i] >= 0 && closed.absolute[i] <= most, "column sums of magnitudes");
      check(usable(closed.minimum[i]) && usable(closed.maximum[i]) && closed.minimum[i] <= closed.maximum[i],
            "column ranges");
    }
    for (const auto value : packed)
      check(std::abs(value) <= most * 4 * static_cast<double>(max_magnitude), "centred products");
  }
  reader.append(state.buffer, buffered * c);
  std::vector<std::int64_t> indices;
  reader.append(indices, sampled);
  reader.append(state.sample_rows, sampled * c);
  check(std::all_of(state.buffer.begin(), state.buffer.end(), usable), "values of the incomplete tile");
  check(std::all_of(state.sample_rows.begin(), state.sample_rows.end(), usable), "values of the sample");
  for (std::size_t i = 0; i < indices.size(); ++i) {
    check(indices[i] > (i == 0 ? -1 : indices[i - 1]) && indices[i] < state.next_token, "indices of the sample");
    state.heap.push_back(
        {random_hash(state.seed, static_cast<std::uint64_t>(indices[i])), indices[i], static_cast<std::int64_t>(i)});
  }
  std::make_heap(state.heap.begin(), state.heap.end());
  const auto expected = reader.checksum_so_far();
  const auto stored = reader.get<std::uint64_t>();
  require(stored == expected, "accumulator::load: the checksum does not match, the stream is damaged");

  state.buffered = buffered;
  if (closed_tokens > 0) {
    state.closed.allocate(c, resource);
    state.closed.tokens = closed_tokens;
    const double* from = packed.data();
    for (std::int64_t i = 0; i < c; ++i)
      for (std::int64_t j = i; j < c;) {
        const auto end = std::min(c, (j / block_columns + 1) * block_columns);
        std::copy_n(from, end - j, state.closed.second.data() + second_place(i, j, blocks_of(c)));
        from += end - j;
        j = end;
      }
  }
  return state;
}

}  // namespace miq::calibration::detail
