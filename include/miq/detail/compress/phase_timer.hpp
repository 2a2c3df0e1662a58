// Measures the phases of `compress`.
#pragma once

#include <chrono>

namespace miq::detail {

/// Adds the time between construction and destruction to a phase.
class phase_timer {
 public:
  explicit phase_timer(double& seconds) : seconds_(seconds) {}
  phase_timer(const phase_timer&) = delete;
  phase_timer& operator=(const phase_timer&) = delete;
  ~phase_timer() { seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  double& seconds_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace miq::detail
