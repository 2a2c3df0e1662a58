// pipeline/progress_display.hpp: tells people where a run is, by its method, layer and phase.
#pragma once

#include "common/progress_line.hpp"
#include "compress_opt/pipeline/compression.hpp"

namespace compress_opt {

/// A line is plain news whenever method or layer change, and outside of layers the kind of work.
class progress_display {
 public:
  /// @param columns  of the terminal; longer lines are cut
  progress_display(std::ostream& out, display_style style, int columns = 80) : line_(out, style, columns) {}

  /// `elapsed`: seconds since the start. The remaining time is estimated from it and the fraction that is done.
  void show(const run_state& state, double elapsed) {
    auto place = std::string(state.method);
    if (state.layer > 0) place += ", layer " + std::to_string(state.layer) + '/' + std::to_string(state.layers);
    // Inside a layer the phases alternate quickly; outside of layers each is news.
    line_.show(place, state.phase, state.fraction, elapsed, state.layer > 0);
  }
  /// Clears the line.
  void finish() { line_.finish(); }

 private:
  progress_line line_;
};

}  // namespace compress_opt
