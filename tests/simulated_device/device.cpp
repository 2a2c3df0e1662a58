// The simulated device's memory, streams and lanes, and the calls of the CUDA runtime.

#include "simulated_device/device.hpp"

#include <sys/mman.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "test_support/lane_stacks.hpp"

using operation = std::function<void()>;

struct CUevent_st {
  cudaStream_t stream = nullptr;  // on which it was recorded last
  bool recorded = false;
  // Shared with the work that sets it: an event may go before the device has passed it.
  std::shared_ptr<std::chrono::steady_clock::time_point> passed =
      std::make_shared<std::chrono::steady_clock::time_point>();
};
struct CUgraph_st {
  std::vector<operation> operations;
};
struct CUgraphExec_st {
  std::vector<operation> operations;
};
struct CUstream_st {
  std::deque<operation> queue;
  std::unique_ptr<CUgraph_st> captured;  // while a capture is open
  bool invalidated = false;
  std::thread::id capturing_thread;
};

namespace simulated {
namespace {

constexpr std::size_t arena_bytes = std::size_t{1} << 36;  // addresses, not memory
constexpr std::int64_t alignment = 256, guard = 256;
constexpr int nonsense = 0xFF, guard_byte = 0xCB;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "simulated device: %s\n", what.c_str());
  std::abort();
}

std::int64_t setting(const char* name, std::int64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoll(text, nullptr, 10);
}

/// One at a time: everything below is used under `lock`.
class machine {
 public:
  static machine& get() {
    static machine one;
    return one;
  }

  std::recursive_mutex lock;
  CUstream_st default_stream;
  std::set<CUstream_st*> streams{&default_stream};
  cudaError_t last_error = cudaSuccess;
  std::int64_t live = 0;

  CUstream_st& stream(cudaStream_t handle) {
    if (handle == nullptr) return default_stream;
    if (!streams.contains(handle)) die("a stream that does not exist");
    return *handle;
  }
  bool captures_on_this_thread() const {
    for (const auto* s : streams)
      if (s->captured != nullptr && s->capturing_thread == std::this_thread::get_id()) return true;
    return false;
  }

  cudaError_t fail(cudaError_t code, const std::string& what) {
    std::fprintf(stderr, "simulated device: %s\n", what.c_str());
    last_error = code;
    return code;
  }
  cudaError_t add(CUstream_st& s, operation work) {
    if (s.captured != nullptr)
      s.captured->operations.push_back(std::move(work));
    else
      s.queue.push_back(std::move(work));
    return cudaSuccess;
  }
  void drain(CUstream_st& s) {
    if (s.queue.empty()) return;
    const opened device(*this);
    while (!s.queue.empty()) {
      const auto work = std::move(s.queue.front());
      s.queue.pop_front();
      work();
    }
  }

  bool on_device(const void* p) const {
    const auto* const at = static_cast<const std::byte*>(p);
    return at >= base_ && at < base_ + arena_bytes;
  }
  bool within_allocation(const void* p, std::int64_t bytes) const {
    if (bytes == 0) return true;
    if (!on_device(p) || bytes < 0) return false;
    const auto offset = static_cast<const std::byte*>(p) - base_;
    auto after = allocated_.upper_bound(offset);
    if (after == allocated_.begin()) return false;
    --after;
    return offset + bytes <= after->first + after->second;
  }

  std::byte* allocate(std::int64_t bytes) {
    const auto size = room_of(bytes);
    auto place = free_.begin();
    while (place != free_.end() && place->second < size) ++place;
    if (place == free_.end()) return nullptr;
    const auto [offset, room] = *place;
    free_.erase(place);
    if (room > size) free_[offset + size] = room - size;
    allocated_[offset] = bytes;
    ++live;
    return base_ + offset;
  }
  /// In the order of a stream, before the first use.
  void fill(std::byte* memory, std::int64_t bytes) const {
    const auto size = room_of(bytes);
    std::memset(memory, nonsense, static_cast<std::size_t>(bytes));
    std::memset(memory + bytes, guard_byte, static_cast<std::size_t>(size - bytes));
  }
  void release(std::byte* memory) {
    const auto offset = memory - base_;
    const auto found = allocated_.find(offset);
    if (found == allocated_.end()) die("freed what was not allocated");
    const auto bytes = found->second;
    const auto size = room_of(bytes);
    for (auto at = bytes; at < size; ++at)
      if (memory[at] != static_cast<std::byte>(guard_byte))
        die("something was written " + std::to_string(at - bytes) + " bytes behind an allocation of " +
            std::to_string(bytes));
    std::memset(memory, nonsense, static_cast<std::size_t>(bytes));
    allocated_.erase(found);
    auto [place, added] = free_.emplace(offset, size);
    if (const auto next = std::next(place); next != free_.end() && place->first + place->second == next->first) {
      place->second += next->second;
      free_.erase(next);
    }
    if (place != free_.begin())
      if (const auto before = std::prev(place); before->first + before->second == place->first) {
        before->second += place->second;
        free_.erase(place);
      }
    --live;
  }

  /// The device's memory can be touched while one of these lives.
  class opened {
   public:
    explicit opened(machine& of) : of_(of) {
      if (of_.depth_++ == 0) of_.protect(PROT_READ | PROT_WRITE);
    }
    opened(const opened&) = delete;
    opened& operator=(const opened&) = delete;
    ~opened() {
      if (--of_.depth_ == 0) of_.protect(PROT_NONE);
    }

   private:
    machine& of_;
  };

 private:
  machine() {
    void* const memory = mmap(nullptr, arena_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) die("no range of addresses");
    base_ = static_cast<std::byte*>(memory);
    free_[0] = static_cast<std::int64_t>(arena_bytes);
  }
  void protect(int how) const {
    if (mprotect(base_, arena_bytes, how) != 0) die("mprotect failed");
  }

  /// What an allocation takes up, its guard included.
  static std::int64_t room_of(std::int64_t bytes) { return (bytes + alignment - 1) / alignment * alignment + guard; }

  std::byte* base_ = nullptr;
  std::map<std::int64_t, std::int64_t> free_, allocated_;  // offset, bytes
  int depth_ = 0;
};

using guarded = std::lock_guard<std::recursive_mutex>;

/// Whether an address is one of this process's host memory: where programs, heaps and stacks lie, and mapped.
bool is_host_address(std::uintptr_t word) {
  const auto top = word >> 40;
  if (top < 0x55 || top > 0x7F) return false;  // AddressSanitizer has its heap in between
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0, end = 0;
    char dash = 0;
    std::istringstream(line) >> std::hex >> begin >> dash >> end;
    if (word >= begin && word < end) return true;
  }
  return false;
}

struct {
  std::vector<std::byte> shared;
  std::int64_t shared_bytes = 0;
} block;

}  // namespace

void run_lanes(std::int32_t count, const std::function<void()>& body) {
  static const bool single = !MIQ_LANE_STACKS || setting("MIQ_SIMULATED_LANES", 0) == 1;
  miq_test::run_on_stacks(single ? 1 : count, body);
}

namespace {
constexpr int shared_guard = 32;
/// Aligned to 16.
std::byte* shared_memory() {
  const auto address = reinterpret_cast<std::uintptr_t>(block.shared.data());
  return block.shared.data() + (16 - address % 16) % 16;
}
}  // namespace

std::byte* fresh_shared(std::int64_t bytes) {
  const auto size = static_cast<std::size_t>(bytes + 16 + shared_guard);
  if (block.shared.size() < size) block.shared.resize(size);
  std::memset(block.shared.data(), nonsense, size);
  std::memset(shared_memory() + bytes, guard_byte, shared_guard);
  block.shared_bytes = bytes;
  return shared_memory();
}

void check_shared(const char* name) {
  const std::byte* const behind = shared_memory() + block.shared_bytes;
  for (int i = 0; i < shared_guard; ++i)
    if (behind[i] != static_cast<std::byte>(guard_byte))
      die(std::string(name) + ": wrote behind its shared memory of " + std::to_string(block.shared_bytes) + " bytes");
}

std::int64_t live_allocations() {
  const guarded locked(machine::get().lock);
  for (auto* s : machine::get().streams) machine::get().drain(*s);
  return machine::get().live;
}

cudaError_t enqueue(cudaStream_t stream, const char* name, std::initializer_list<range> ranges, operation work) {
  auto& device = machine::get();
  const guarded locked(device.lock);
  for (const auto& r : ranges)
    if (!device.within_allocation(r.begin, r.bytes)) {
      std::ostringstream what;
      what << name << ": " << r.bytes << " bytes at " << r.begin << " are not within an allocation";
      return device.fail(cudaErrorIllegalAddress, what.str());
    }
  return device.add(device.stream(stream), std::move(work));
}

cudaError_t enqueue_kernel(cudaStream_t stream, const char* name, const void* arguments, std::size_t bytes,
                           operation work) {
  auto& device = machine::get();
  const guarded locked(device.lock);
  for (std::size_t at = 0; at + sizeof(std::uintptr_t) <= bytes; at += sizeof(std::uintptr_t)) {
    std::uintptr_t word = 0;
    std::memcpy(&word, static_cast<const std::byte*>(arguments) + at, sizeof word);
    if (!device.on_device(reinterpret_cast<const void*>(word)) && is_host_address(word)) {
      std::ostringstream what;
      what << name << ": argument at byte " << at << " is the address of host memory";
      return device.fail(cudaErrorIllegalAddress, what.str());
    }
  }
  return device.add(device.stream(stream), std::move(work));
}

}  // namespace simulated

using simulated::guarded;
using simulated::machine;

namespace {

/// One row of a copy or several. Bytes of the host are taken now, unless a graph is captured: then at each launch.
cudaError_t enqueue_copy(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t width,
                         std::size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
  auto& device = machine::get();
  const guarded locked(device.lock);
  if (width == 0 || height == 0) return cudaSuccess;
  if (height > 1 && (to_pitch < width || from_pitch < width))
    return device.fail(cudaErrorInvalidValue, "copy: rows are wider than their distance");
  const auto extent = [&](std::size_t pitch) { return static_cast<std::int64_t>((height - 1) * pitch + width); };
  const bool to_device = device.on_device(to), from_device = device.on_device(from);
  if (to_device && !device.within_allocation(to, extent(to_pitch)))
    return device.fail(cudaErrorIllegalAddress, "copy: writes outside an allocation");
  if (from_device && !device.within_allocation(from, extent(from_pitch)))
    return device.fail(cudaErrorIllegalAddress, "copy: reads outside an allocation");
  if (kind != cudaMemcpyDefault &&
      (to_device != (kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice) ||
       from_device != (kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice)))
    return device.fail(cudaErrorInvalidValue, "copy: memory is not of the kind that is named");
  auto& s = device.stream(stream);
  const auto rows = [=](const std::byte* source, std::size_t pitch) {
    for (std::size_t r = 0; r < height; ++r)
      std::memcpy(static_cast<std::byte*>(to) + r * to_pitch, source + r * pitch, width);
  };
  const auto* const source = static_cast<const std::byte*>(from);
  if (from_device || s.captured != nullptr) return device.add(s, [=] { rows(source, from_pitch); });
  std::vector<std::byte> bytes(width * height);
  for (std::size_t r = 0; r < height; ++r) std::memcpy(bytes.data() + r * width, source + r * from_pitch, width);
  return device.add(s, [=, taken = std::move(bytes)] { rows(taken.data(), width); });
}

}  // namespace

const char* cudaGetErrorName(cudaError_t code) {
  switch (code) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorInvalidValue:
      return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorNoDevice:
      return "cudaErrorNoDevice";
    case cudaErrorNoKernelImageForDevice:
      return "cudaErrorNoKernelImageForDevice";
    case cudaErrorIllegalAddress:
      return "cudaErrorIllegalAddress";
    case cudaErrorStreamCaptureUnsupported:
      return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated:
      return "cudaErrorStreamCaptureInvalidated";
  }
  return "unknown error";
}
const char* cudaGetErrorString(cudaError_t code) { return cudaGetErrorName(code); }
cudaError_t cudaGetLastError() {
  const guarded locked(machine::get().lock);
  return std::exchange(machine::get().last_error, cudaSuccess);
}
cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int /*device*/) {
  const auto capability = static_cast<int>(simulated::setting("MIQ_SIMULATED_CAPABILITY", 90));
  switch (which) {
    case cudaDevAttrMultiProcessorCount:
      *value = 4;
      break;
    case cudaDevAttrComputeCapabilityMajor:
      *value = capability / 10;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = capability % 10;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = static_cast<int>(simulated::setting("MIQ_SIMULATED_SHARED_MEMORY", 227 * 1024));
      break;
  }
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  auto& device = machine::get();
  const guarded locked(device.lock);
  if (device.captures_on_this_thread())
    return device.fail(cudaErrorStreamCaptureUnsupported, "cudaMalloc in a capture");
  auto* const made = device.allocate(static_cast<std::int64_t>(bytes));
  if (made == nullptr) return device.fail(cudaErrorMemoryAllocation, "out of memory");
  const machine::opened open(device);
  device.fill(made, static_cast<std::int64_t>(bytes));
  *memory = made;
  return cudaSuccess;
}
cudaError_t cudaFree(void* memory) {
  auto& device = machine::get();
  const guarded locked(device.lock);
  if (device.captures_on_this_thread()) return device.fail(cudaErrorStreamCaptureUnsupported, "cudaFree in a capture");
  cudaDeviceSynchronize();
  const machine::opened open(device);
  if (memory != nullptr) device.release(static_cast<std::byte*>(memory));
  return cudaSuccess;
}
cudaError_t cudaMallocAsync(void** memory, std::size_t bytes, cudaStream_t stream) {
  auto& device = machine::get();
  const guarded locked(device.lock);
  auto& s = device.stream(stream);
  if (s.captured != nullptr) {
    s.invalidated = true;
    return device.fail(cudaErrorStreamCaptureUnsupported, "cudaMallocAsync in a capture");
  }
  auto* const made = device.allocate(static_cast<std::int64_t>(bytes));
  if (made == nullptr) return device.fail(cudaErrorMemoryAllocation, "out of memory");
  *memory = made;
  return device.add(s, [&device, made, bytes] { device.fill(made, static_cast<std::int64_t>(bytes)); });
}
cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream) {
  auto& device = machine::get();
  const guarded locked(device.lock);
  auto& s = device.stream(stream);
  if (s.captured != nullptr) {
    s.invalidated = true;
    return device.fail(cudaErrorStreamCaptureUnsupported, "cudaFreeAsync in a capture");
  }
  return device.add(s, [&device, memory] { device.release(static_cast<std::byte*>(memory)); });
}
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  return simulated::enqueue(stream, "cudaMemsetAsync", {{to, static_cast<std::int64_t>(bytes)}},
                            [=] { std::memset(to, value, bytes); });
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  return enqueue_copy(to, bytes, from, bytes, bytes, 1, kind, stream);
}
cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                              std::size_t width, std::size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
  return enqueue_copy(to, to_pitch, from, from_pitch, width, height, kind, stream);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned /*flags*/) {
  auto& device = machine::get();
  const guarded locked(device.lock);
  *stream = new CUstream_st;
  device.streams.insert(*stream);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  auto& device = machine::get();
  const guarded locked(device.lock);
  auto& s = device.stream(stream);
  device.drain(s);
  device.streams.erase(&s);
  delete &s;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  auto& device = machine::get();
  const guarded locked(device.lock);
  auto& s = device.stream(stream);
  if (s.captured != nullptr) {
    s.invalidated = true;
    return device.fail(cudaErrorStreamCaptureUnsupported, "cudaStreamSynchronize in a capture");
  }
  device.drain(s);
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
  auto& device = machine::get();
  const guarded locked(device.lock);
  for (auto* s : device.streams) device.drain(*s);
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) {
  *event = new CUevent_st;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  auto& device = machine::get();
  const guarded locked(device.lock);
  event->stream = stream;
  event->recorded = true;
  return device.add(device.stream(stream), [passed = event->passed] { *passed = std::chrono::steady_clock::now(); });
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return event->recorded ? cudaStreamSynchronize(event->stream) : cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  auto& device = machine::get();
  const guarded locked(device.lock);
  if (!begin->recorded || !end->recorded)
    return device.fail(cudaErrorInvalidValue, "cudaEventElapsedTime: an event was not recorded");
  *milliseconds = std::chrono::duration<float, std::milli>(*end->passed - *begin->passed).count();
  return cudaSuccess;
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode /*mode*/) {
  auto& device = machine::get();
  const guarded locked(device.lock);
  auto& s = device.stream(stream);
  if (stream == nullptr || s.captured != nullptr)
    return device.fail(cudaErrorStreamCaptureUnsupported, "cudaStreamBeginCapture: this stream cannot be captured");
  s.captured = std::make_unique<CUgraph_st>();
  s.invalidated = false;
  s.capturing_thread = std::this_thread::get_id();
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  auto& device = machine::get();
  const guarded locked(device.lock);
  auto& s = device.stream(stream);
  *graph = s.captured.release();
  if (!s.invalidated) return cudaSuccess;
  delete std::exchange(*graph, nullptr);
  return device.fail(cudaErrorStreamCaptureInvalidated, "cudaStreamEndCapture: the capture failed before");
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long /*flags*/) {
  *exec = new CUgraphExec_st{graph->operations};
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  auto& device = machine::get();
  const guarded locked(device.lock);
  for (const auto& work : exec->operations) device.add(device.stream(stream), work);
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}
