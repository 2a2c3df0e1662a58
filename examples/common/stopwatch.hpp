// common/stopwatch.hpp: how long a part of a program takes.
#pragma once

#include <chrono>

namespace examples {

/// Adds the seconds of its lifetime to a total.
class stopwatch {
 public:
  explicit stopwatch(double& seconds) : seconds_(seconds) {}
  stopwatch(const stopwatch&) = delete;
  stopwatch& operator=(const stopwatch&) = delete;
  ~stopwatch() { seconds_ += std::chrono::duration<double>(clock::now() - begin_).count(); }

 private:
  using clock = std::chrono::steady_clock;
  double& seconds_;
  clock::time_point begin_ = clock::now();
};

}  // namespace examples
