#pragma once

#include <algorithm>

#include <miq/core/workspace.hpp>

namespace miq {

template <class Body>
void run_body(const host_executor& exec, const Body& body) {
  const std::int64_t blocks = body.blocks();
  if (blocks <= 0) return;
  const std::int64_t tasks = std::min<std::int64_t>(blocks, 64);
  detail::workspace_layout layout;
  const auto stride = (body.scratch_bytes() + 63) / 64 * 64;
  const auto scratch = layout.add<std::byte>(tasks * stride);
  const detail::scratch_block memory("run_body", layout, {}, exec.resource());
  exec.parallel_for(tasks, [&](std::int64_t task) {
    for (auto block = task; block < blocks; block += tasks)
      body(serial_group{}, block, memory.template at<std::byte>(scratch) + task * stride);
  });
}

}  // namespace miq
