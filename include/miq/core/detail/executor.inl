#pragma once

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include <miq/core/detail/thread_pool.hpp>
#include <miq/core/executor.hpp>

namespace miq {
namespace detail {

/// Waits for a condition, busily, for some microseconds at most.
template <class Condition>
void look_for(Condition&& condition) {
  constexpr auto patience = std::chrono::microseconds(50);
  const auto start = std::chrono::steady_clock::now();
  do {
    for (int i = 0; i < 32; ++i) {
      if (condition()) return;
#if defined(__x86_64__) || defined(__i386__)
      __builtin_ia32_pause();
#elif defined(__aarch64__)
      asm volatile("yield");
#endif
    }
  } while (std::chrono::steady_clock::now() - start < patience);
}

MIQ_API thread_pool::thread_pool(int threads) {
  try {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { wait_for_jobs(); });
  } catch (...) {
    stop();
    throw;
  }
}

MIQ_API void thread_pool::run(std::int64_t count, void (*call)(void*, std::int64_t), void* body) {
  const auto run_here = [&] {
    for (std::int64_t i = 0; i < count; ++i) call(body, i);
  };
  if (count <= 1) return run_here();  // a single body may use the threads itself
  struct release_unless {
    std::atomic<bool>& flag;
    bool keep;
    ~release_unless() {
      if (!keep) flag.store(false, std::memory_order_release);
    }
  };
  const bool nested = busy_.exchange(true, std::memory_order_acquire);
  const release_unless release{busy_, nested};
  if (nested || workers_.empty()) return run_here();
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    call_ = call;
    body_ = body;
    count_ = count;
    next_.store(0, std::memory_order_relaxed);
    failed_index_ = count;
    failure_ = nullptr;
    open_ = true;
    job_.fetch_add(1, std::memory_order_release);
    wake = sleeping_ > 0;
  }
  if (wake) wake_.notify_all();
  take_indices();
  {
    const std::lock_guard lock(mutex_);
    open_ = false;
  }
  look_for([this] { return working_.load(std::memory_order_acquire) == 0; });
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return working_.load(std::memory_order_relaxed) == 0; });
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

MIQ_API void thread_pool::wait_for_jobs() {
  std::uint64_t seen = 0;
  const auto called = [&] {
    return stopping_.load(std::memory_order_relaxed) || job_.load(std::memory_order_acquire) != seen;
  };
  for (;;) {
    look_for(called);
    {
      std::unique_lock lock(mutex_);
      ++sleeping_;
      wake_.wait(lock, called);
      --sleeping_;
      if (stopping_) return;
      seen = job_;
      if (!open_) continue;
      ++working_;
    }
    take_indices();
    const std::lock_guard lock(mutex_);
    if (--working_ == 0) done_.notify_one();
  }
}

MIQ_API void thread_pool::take_indices() {
  for (;;) {
    const auto i = next_.fetch_add(1, std::memory_order_relaxed);
    if (i >= count_) return;
    try {
      call_(body_, i);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (i < failed_index_) {
        failed_index_ = i;
        failure_ = std::current_exception();
      }
      next_.store(count_, std::memory_order_relaxed);
    }
  }
}

MIQ_API void thread_pool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& worker : workers_) worker.join();
}

}  // namespace detail

MIQ_API host_executor::host_executor(const host_executor_options& options)
    : resource_(options.resource != nullptr ? options.resource : std::pmr::get_default_resource()) {
  detail::require(options.threads >= 0 && options.threads <= 4096,
                  "host_executor: threads must be 0 (one per core) to 4096, got ", options.threads);
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  threads_ = options.threads > 0 ? options.threads : cores;
  pool_ = std::make_unique<detail::thread_pool>(threads_);
}

MIQ_API host_executor::host_executor(host_executor&& from) noexcept = default;
MIQ_API host_executor& host_executor::operator=(host_executor&& from) noexcept = default;
MIQ_API host_executor::~host_executor() = default;

MIQ_API void host_executor::run(std::int64_t count, void (*call)(void*, std::int64_t), void* body) const {
  pool_->run(count, call, body);
}

}  // namespace miq
