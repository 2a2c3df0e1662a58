// A caching allocator such as an engine has: blocks that were given back are kept and given out again.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <map>

#include <miq/core/device_memory.hpp>

/// For one stream, so that a block that was given back may be used again at once: what still reads it stands before in
/// the stream.
class caching_memory final : public miq::device_memory_resource {
 public:
  caching_memory() = default;
  caching_memory(const caching_memory&) = delete;
  caching_memory& operator=(const caching_memory&) = delete;
  /// The stream must have no more work for any block.
  ~caching_memory() override {
    for (const auto& [bytes, block] : free_) static_cast<void>(cudaFree(block));
  }

  void* allocate(std::int64_t bytes, cudaStream_t /*stream*/) override {
    ++requests_;
    const auto wanted = (bytes + granularity - 1) / granularity * granularity;
    // The smallest block that is large enough, unless it is much too large.
    const auto found = free_.lower_bound(wanted);
    void* block = nullptr;
    auto size = wanted;
    if (found != free_.end() && found->first <= 2 * wanted) {
      size = found->first;
      block = found->second;
      free_.erase(found);
    } else {
      miq::check_cuda(cudaMalloc(&block, static_cast<std::size_t>(wanted)), "cudaMalloc");
      ++allocations_;
      total_ += wanted;
    }
    sizes_[block] = size;
    return block;
  }
  void deallocate(void* memory, std::int64_t /*bytes*/, cudaStream_t /*stream*/) noexcept override {
    const auto found = sizes_.find(memory);
    if (found == sizes_.end()) return;
    free_.emplace(found->second, memory);
    sizes_.erase(found);
  }

  std::int64_t requests() const { return requests_; }
  std::int64_t allocations() const { return allocations_; }
  std::int64_t bytes() const { return total_; }

 private:
  static constexpr std::int64_t granularity = 1 << 16;

  std::multimap<std::int64_t, void*> free_;  // by size
  std::map<void*, std::int64_t> sizes_;      // of blocks that are out
  std::int64_t requests_ = 0;
  std::int64_t allocations_ = 0;
  std::int64_t total_ = 0;
};
