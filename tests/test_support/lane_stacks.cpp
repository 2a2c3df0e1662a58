#undef _FORTIFY_SOURCE  // which takes a jump to another stack for an error

#include "test_support/lane_stacks.hpp"

#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <vector>

#include <sys/mman.h>
#include <ucontext.h>

namespace miq_test {
namespace {

[[noreturn]] void die(const char* reason) {
  std::fprintf(stderr, "lanes: %s\n", reason);
  std::abort();
}

struct lane_stack {
  static constexpr std::size_t bytes = 256 * 1024;
  ucontext_t start;
  jmp_buf at;
  bool started = false;
  bool ended = true;
};

struct {
  std::vector<std::unique_ptr<lane_stack>> stacks;
  const std::function<void()>* body = nullptr;
  jmp_buf scheduler;
  std::int32_t lane = 0;
  std::int32_t lanes = 1;
  std::uint64_t random = 0x9E3779B97F4A7C15U;
} block;

void leave(lane_stack& of) {
  if (_setjmp(of.at) == 0) _longjmp(block.scheduler, 1);
}

[[noreturn]] void lane_loop() {
  for (;;) {
    (*block.body)();
    auto& own = *block.stacks[static_cast<std::size_t>(block.lane)];
    own.ended = true;
    leave(own);
  }
}

void enter(std::int32_t rank) {
  block.lane = rank;
  auto& to = *block.stacks[static_cast<std::size_t>(rank)];
  if (_setjmp(block.scheduler) != 0) return;
  if (to.started) _longjmp(to.at, 1);
  to.started = true;
  setcontext(&to.start);
}

void add_stack() {
  auto made = std::make_unique<lane_stack>();
  getcontext(&made->start);
  void* const memory =
      mmap(nullptr, lane_stack::bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) die("no memory for a lane's stack");
  made->start.uc_stack.ss_sp = memory;
  made->start.uc_stack.ss_size = lane_stack::bytes;
  made->start.uc_link = nullptr;
  makecontext(&made->start, lane_loop, 0);
  block.stacks.push_back(std::move(made));
}

std::uint32_t next_random() {
  block.random = block.random * 6364136223846793005U + 1442695040888963407U;
  return static_cast<std::uint32_t>(block.random >> 33);
}

}  // namespace

std::int32_t lane() { return block.lane; }
std::int32_t lanes() { return block.lanes; }
void meet() {
  if (block.lanes > 1) leave(*block.stacks[static_cast<std::size_t>(block.lane)]);
}

void run_on_stacks(std::int32_t count, const std::function<void()>& body) {
  if (count == 1) {
    block.lane = 0;
    block.lanes = 1;
    body();
    return;
  }
  while (static_cast<std::int32_t>(block.stacks.size()) < count) add_stack();
  block.lanes = count;
  block.body = &body;
  for (std::int32_t r = 0; r < count; ++r) block.stacks[static_cast<std::size_t>(r)]->ended = false;
  for (std::int32_t left = count; left > 0;) {
    // Lanes in the order first, first + step, first + 2 step...
    const auto first = static_cast<std::int32_t>(next_random() % static_cast<std::uint32_t>(count));
    auto step = static_cast<std::int32_t>(next_random() % static_cast<std::uint32_t>(count));
    while (std::gcd(step, count) != 1) ++step;
    for (std::int32_t i = 0; i < count; ++i)
      enter(static_cast<std::int32_t>((first + static_cast<std::int64_t>(i) * step) % count));
    left = 0;
    for (std::int32_t r = 0; r < count; ++r) left += block.stacks[static_cast<std::size_t>(r)]->ended ? 0 : 1;
    if (left != 0 && left != count) die("some lanes of a block ended while others wait for them");
  }
}

}  // namespace miq_test
