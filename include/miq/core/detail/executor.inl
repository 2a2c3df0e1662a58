#pragma once

#include <algorithm>
#include <thread>

namespace miq {

inline host_executor::host_executor(const host_executor_options& options)
    : resource_(options.resource != nullptr ? options.resource : std::pmr::get_default_resource()) {
  detail::require(options.threads >= 0 && options.threads <= 4096,
                  "host_executor: threads must be 0 (one per core) to 4096, got ", options.threads);
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  pool_ = std::make_unique<detail::thread_pool>(options.threads > 0 ? options.threads : cores);
}

}  // namespace miq
