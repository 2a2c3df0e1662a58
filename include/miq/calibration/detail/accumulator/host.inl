#pragma once

#include <istream>
#include <ostream>

#include <miq/calibration/accumulator.hpp>
#include <miq/calibration/detail/accumulator/accumulate.hpp>
#include <miq/calibration/detail/accumulator/checks.hpp>
#include <miq/calibration/detail/accumulator/stream.hpp>

namespace miq::calibration {

MIQ_API accumulator::accumulator(std::int64_t columns, const accumulator_options& options,
                                 std::pmr::memory_resource* resource)
    : state_(resource) {
  detail::require_accumulator("accumulator", columns, options);
  state_.columns = columns;
  state_.sample_tokens = options.sample_tokens;
  state_.seed = options.seed;
  state_.next_token = options.first_token;
}

template <executor Exec>
void accumulator::add(const Exec& exec, matrix_view<const float, memory_of<Exec>> batch) {
  detail::add_on(exec, state_, batch);
}

template <executor Exec>
void accumulator::merge(const Exec& exec, const accumulator& other) {
  detail::merge_on(exec, state_, other.state_);
}

template <executor Exec>
statistics accumulator::finish(const Exec& exec) const {
  return detail::finish_on(exec, state_);
}

MIQ_API token_sample accumulator::sample() const { return detail::sample_of(state_); }

MIQ_API void accumulator::save(std::ostream& out) const { detail::write_state(state_, out); }

MIQ_API accumulator accumulator::load(std::istream& in, std::pmr::memory_resource* resource) {
  return accumulator(detail::read_state(in, resource));
}

}  // namespace miq::calibration
