// The threads of a host_executor: one job at a time, indices handed out by an atomic counter.
//
// Threads that have nothing to do look for the next job for a moment before they sleep, since jobs come in close
// succession and waking a thread takes longer than many of them last. The caller never waits for a thread that has not
// come yet: when it has run out of indices it closes the job and waits for those who joined.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace miq::detail {

class thread_pool {
 public:
  explicit thread_pool(int threads) {
    try {
      for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { wait_for_jobs(); });
    } catch (...) {
      stop();
      throw;
    }
  }
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;
  ~thread_pool() { stop(); }

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  template <class Body>
  void run(std::int64_t count, Body& body) {
    if (count <= 1) {  // a single body may use the threads itself
      for (std::int64_t i = 0; i < count; ++i) body(i);
      return;
    }
    const bool nested = busy_.exchange(true, std::memory_order_acquire);
    if (nested || workers_.empty()) {
      release_unless release{busy_, nested};
      for (std::int64_t i = 0; i < count; ++i) body(i);
      return;
    }
    release_unless release{busy_, false};
    bool wake = false;
    {
      const std::lock_guard lock(mutex_);
      call_ = [](void* erased, std::int64_t i) { (*static_cast<std::remove_reference_t<Body>*>(erased))(i); };
      body_ = const_cast<void*>(static_cast<const void*>(std::addressof(body)));
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

 private:
  struct release_unless {
    std::atomic<bool>& flag;
    bool keep;
    ~release_unless() {
      if (!keep) flag.store(false, std::memory_order_release);
    }
  };

  /// Waits for a condition, busily, for some microseconds at most.
  template <class Condition>
  static void look_for(Condition&& condition) {
    constexpr auto patience = std::chrono::microseconds(50);
    const auto start = std::chrono::steady_clock::now();
    do {
      for (int i = 0; i < 32; ++i) {
        if (condition()) return;
        pause();
      }
    } while (std::chrono::steady_clock::now() - start < patience);
  }

  static void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  void wait_for_jobs() {
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

  void take_indices() {
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

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (auto& worker : workers_) worker.join();
  }

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  std::atomic<bool> busy_{false};
  std::atomic<std::int64_t> next_{0};
  void (*call_)(void*, std::int64_t) = nullptr;
  void* body_ = nullptr;
  std::int64_t count_ = 0;
  std::int64_t failed_index_ = 0;
  std::exception_ptr failure_;
  // Changed under the mutex only, read outside of it by those who look for a change.
  std::atomic<std::uint64_t> job_{0};
  std::atomic<int> working_{0};
  std::atomic<bool> stopping_{false};
  int sleeping_ = 0;
  bool open_ = false;
};

}  // namespace miq::detail
