// test_support/lanes.hpp: runs a kernel body on the host: by its loop, or on lanes that meet as a CUDA block's do.
// Under a sanitizer lanes are real threads, of which ThreadSanitizer sees a missing barrier.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include <miq/core/executor.hpp>
#include <miq/core/group.hpp>

#include "test_support/lane_stacks.hpp"

#if !MIQ_LANE_STACKS
#include <barrier>
#include <thread>
#include <vector>
#endif

namespace miq_test {

#if MIQ_LANE_STACKS
/// One lane of several.
struct lane_group {
  std::int32_t rank() const { return lane(); }
  std::int32_t size() const { return lanes(); }
  void sync() const { meet(); }
#else
/// One thread of several. A missing `sync()` in a body is a data race between them.
class lane_group {
 public:
  lane_group(std::int32_t rank, std::int32_t size, std::barrier<>& meeting)
      : rank_(rank), size_(size), meeting_(&meeting) {}

  std::int32_t rank() const { return rank_; }
  std::int32_t size() const { return size_; }
  void sync() const { meeting_->arrive_and_wait(); }
#endif
  template <class T>
  T broadcast(T value, std::int32_t from, T* slot) const {
    if (rank() == from) *slot = value;
    sync();
    const T result = *slot;
    sync();
    return result;
  }

#if !MIQ_LANE_STACKS
 private:
  std::int32_t rank_;
  std::int32_t size_;
  std::barrier<>* meeting_;
#endif
};
static_assert(miq::execution_group<lane_group>);

/// Runs all blocks of a body one after the other, each on `lanes` lanes. Scratch is filled with nonsense before each
/// block, so that a body that relies on what it finds there fails.
template <class Body>
void run_on_lanes(std::int32_t lanes, const Body& body) {
  struct release {
    void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  const auto bytes = static_cast<std::size_t>(body.scratch_bytes());
  const std::unique_ptr<std::byte, release> scratch(new (std::align_val_t{64}) std::byte[bytes + 1]);
#if MIQ_LANE_STACKS
  for (std::int64_t block = 0; block < body.blocks(); ++block) {
    std::fill_n(scratch.get(), bytes, std::byte{0xA5});
    run_on_stacks(lanes, [&] { body(lane_group{}, block, scratch.get()); });
  }
#else
  std::barrier<> meeting(lanes);
  std::vector<std::thread> threads;
  for (std::int32_t rank = 0; rank < lanes; ++rank)
    threads.emplace_back([&, rank] {
      const lane_group group(rank, lanes, meeting);
      for (std::int64_t block = 0; block < body.blocks(); ++block) {
        if (rank == 0) std::fill_n(scratch.get(), bytes, std::byte{0xA5});
        group.sync();
        body(group, block, scratch.get());
        group.sync();
      }
    });
  for (auto& thread : threads) thread.join();
#endif
}

/// `lanes` 0: one lane per block by the host's loop, blocks on two threads. Otherwise on that many lanes.
template <class Body>
void run_on_host(std::int32_t lanes, const Body& body) {
  static const miq::host_executor two({.threads = 2});
  if (lanes == 0)
    miq::run_body(two, body);
  else
    run_on_lanes(lanes, body);
}

}  // namespace miq_test
