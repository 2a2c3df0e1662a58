// test_support/lane_stacks.hpp: a block's lanes as stacks of one thread, which jumps between them: a hundred times
// faster than threads that meet in a barrier, and in an order that changes from meeting to meeting. Neither
// AddressSanitizer nor ThreadSanitizer can follow the jumps.
#pragma once

#include <cstdint>
#include <functional>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MIQ_LANE_STACKS 0
#else
#define MIQ_LANE_STACKS 1
#endif

namespace miq_test {

/// The lane that is running, and how many there are.
std::int32_t lane();
std::int32_t lanes();
/// Lets the other lanes come as far.
void meet();
/// Runs `body` once on each of `count` lanes, on the calling thread; ends the program if some lanes return while others
/// wait for them. One block at a time in a process.
void run_on_stacks(std::int32_t count, const std::function<void()>& body);

}  // namespace miq_test
