// core/executor.hpp: where a function of miq runs: the host's threads, or (in a later header) a CUDA stream.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <type_traits>

#include <miq/core/error.hpp>
#include <miq/core/matrix_view.hpp>

namespace miq {
namespace detail {
class thread_pool;
}

/// What a `host_executor` is made of.
struct host_executor_options {
  int threads = 0;                                ///< threads that work, the caller's included; 0: one per core
  std::pmr::memory_resource* resource = nullptr;  ///< where scratch memory comes from; null: the default resource
};

/// Runs on the host: the calling thread and a pool of others that sleep between calls. Used by one thread at a time;
/// executors of different threads do not meet. Moves cheaply; does not copy.
///
/// Every result is the same to the bit for every number of threads, because work is cut into tiles by the problem's
/// size alone and reduced in a fixed order. (With `MIQ_USE_BLAS` that holds only as far as the BLAS keeps it.)
class host_executor {
 public:
  using memory_space = host_memory;

  /// Starts the threads. @throws invalid_argument if `threads` is negative or beyond 4096
  explicit host_executor(const host_executor_options& options = {});
  host_executor(host_executor&& from) noexcept;
  host_executor& operator=(host_executor&& from) noexcept;
  ~host_executor();

  int threads() const { return threads_; }
  std::pmr::memory_resource* resource() const { return resource_; }

  /// Calls `body(i)` for every i in [0, count), on any thread, in any order; returns when all are done. If bodies
  /// throw, the exception of the smallest i that threw reaches the caller and the indices not yet begun are skipped. A
  /// call from inside a body runs serially on the thread that makes it. Does not allocate.
  template <class Body>
  void parallel_for(std::int64_t count, Body&& body) const {
    using type = std::remove_reference_t<Body>;
    run(
        count, [](void* erased, std::int64_t i) { (*static_cast<type*>(erased))(i); },
        const_cast<void*>(static_cast<const void*>(std::addressof(body))));
  }

 private:
  void run(std::int64_t count, void (*call)(void*, std::int64_t), void* body) const;

  std::unique_ptr<detail::thread_pool> pool_;
  std::pmr::memory_resource* resource_;
  int threads_ = 1;
};

/// What every executor has: a memory space, in whose views its functions take their data.
template <class Exec>
concept executor = requires {
  typename Exec::memory_space;
};

/// The host's executor. The host's half of a function is a template over it, so that it is compiled only where it is
/// called: a translation unit that only reads a header, or calls the device's half, does not pay for it.
template <class Exec>
concept on_host = std::derived_from<Exec, host_executor>;

/// The memory space of an executor.
template <executor Exec>
using memory_of = typename Exec::memory_space;

}  // namespace miq

#if !defined(MIQ_PRECOMPILED)
#include <miq/core/detail/executor.inl>
#endif
