// The threads of a host_executor: one job at a time, indices handed out by an atomic counter.
//
// Threads that have nothing to do look for the next job for a moment before they sleep, since jobs come in close
// succession and waking a thread takes longer than many of them last. The caller never waits for a thread that has not
// come yet: when it has run out of indices it closes the job and waits for those who joined.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace miq::detail {

class thread_pool {
 public:
  explicit thread_pool(int threads);
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;
  ~thread_pool() { stop(); }

  /// Calls `call(body, i)` for every i in [0, count).
  void run(std::int64_t count, void (*call)(void*, std::int64_t), void* body);

 private:
  void wait_for_jobs();
  void take_indices();
  void stop();

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
