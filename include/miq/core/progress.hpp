// core/progress.hpp: how long work tells where it is, and is stopped.
#pragma once

#include <functional>
#include <string_view>

#include <miq/core/error.hpp>

namespace miq {

/// Called now and then by long work, on the thread that started it, with the name of the phase and the share of the
/// whole call that is done, 0 to 1, never falling. Returning false stops the work with `miq::cancelled`.
using progress_callback = std::function<bool(std::string_view phase, double fraction)>;

/// Calls `progress`, if there is one. @throws cancelled if it returns false
inline void report_progress(const progress_callback& progress, std::string_view phase, double fraction) {
  if (progress && !progress(phase, fraction))
    throw cancelled(detail::join_message("cancelled by the progress callback in phase ", phase));
}

/// The callback for a part of the work, whose fractions 0 to 1 become `from` to `to` of the whole; under the name
/// `phase`, unless that is empty: then under the part's own. `progress` and the text of `phase` must outlive it.
inline progress_callback part_of(const progress_callback& progress, double from, double to,
                                 std::string_view phase = {}) {
  if (!progress) return {};
  return [&progress, phase, from, to](std::string_view own, double done) {
    return progress(phase.empty() ? own : phase, from + done * (to - from));
  };
}

}  // namespace miq
