// The simulated device itself: that it finds what it is there to find.
#include "simulated_device/device.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include <miq/core/cuda_executor.hpp>
#include <miq/core/launch.cuh>

#include "test_support/catch.hpp"
#include "test_support/device.hpp"

namespace {

/// The signal that ends a process which does `work`; 0 if none does.
template <class Work>
int signal_of(const Work& work) {
  const pid_t child = fork();
  if (child == 0) {
    for (const int s : {SIGSEGV, SIGABRT}) static_cast<void>(std::signal(s, SIG_DFL));  // not the test program's own
    static_cast<void>(freopen("/dev/null", "w", stderr));
    work();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/// Turns the lanes' numbers round through scratch; `meets` or does not before it reads what the others wrote.
struct reverse_body {
  static constexpr int lanes = 64;
  float* to = nullptr;
  std::int64_t length = lanes;  // of the scratch
  bool meets = true;

  std::int64_t blocks() const { return 1; }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(float)); }
  template <miq::execution_group Group>
  void operator()(const Group& group, std::int64_t, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<float*>(scratch);
    for (std::int64_t i = group.rank(); i < length; i += group.size()) slots[i] = static_cast<float>(i);
    if (meets) group.sync();
    for (std::int64_t i = group.rank(); i < lanes; i += group.size()) to[i] = slots[lanes - 1 - i];
  }
};

void launch(const miq::cuda_executor& exec, const reverse_body& body) { miq::device::launch(exec, "reverse", body); }

}  // namespace

TEST_CASE("what is enqueued happens at the next synchronisation, and in order", "[simulated]") {
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const miq::device_array<float> there(64, stream);
  std::vector<float> back(64, -1.0F);
  launch(exec, {there.data()});
  miq::copy(exec, miq::vector_view<const float, miq::device_memory>(there.view()), miq::vector_view<float>(back));
  CHECK(back[0] == -1.0F);
  exec.synchronise();
  for (int i = 0; i < 64; ++i) REQUIRE(back[static_cast<std::size_t>(i)] == static_cast<float>(63 - i));
}

TEST_CASE("fresh memory is not a number", "[simulated]") {
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const miq_test::device_vector<float> fresh(exec, 5);
  for (const float value : fresh.fetch(exec)) CHECK(std::isnan(value));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

TEST_CASE("a missing synchronisation of lanes shows in what is computed", "[simulated]") {
  if (std::getenv("MIQ_SIMULATED_LANES") != nullptr) MIQ_SKIP("one lane");
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const miq_test::device_vector<float> there(exec, 64);
  launch(exec, {.to = there.view().data(), .meets = false});
  int unwritten = 0;
  for (const float value : there.fetch(exec)) unwritten += std::isnan(value) ? 1 : 0;
  CHECK(unwritten > 0);
}

TEST_CASE("a host that touches device memory, and writes outside, end the program", "[simulated]") {
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const miq::device_array<float> there(64, stream);
  exec.synchronise();
  CHECK(signal_of([&] { there.data()[3] = 1; }) == SIGSEGV);
  CHECK(signal_of([&] {
          launch(exec, {.to = there.data() + 1});
          const auto gone = miq::device_array<float>(64, stream);
          launch(exec, {.to = gone.data() + 1});
          exec.synchronise();
          static_cast<void>(cudaFree(gone.data()));
        }) == SIGABRT);
  CHECK(signal_of([&] {
          launch(exec, {.to = there.data(), .length = 65});
          exec.synchronise();
        }) == SIGABRT);
  CHECK(signal_of([&] {
          launch(exec, {there.data()});
          exec.synchronise();
        }) == 0);
}

#endif

TEST_CASE("host memory is no argument of a kernel, and copies stay within allocations", "[simulated]") {
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  std::vector<float> on_host(64);
  CHECK_THROWS_WITH(launch(exec, {on_host.data()}), miq_test::contains("reverse: cudaErrorIllegalAddress"));
  const miq::device_array<float> there(64, stream);
  CHECK(cudaMemcpyAsync(there.data() + 1, on_host.data(), 256, cudaMemcpyDefault, stream) == cudaErrorIllegalAddress);
  CHECK(cudaMemcpyAsync(there.data(), on_host.data(), 256, cudaMemcpyDeviceToDevice, stream) == cudaErrorInvalidValue);
  CHECK(cudaMemsetAsync(on_host.data(), 0, 256, stream) == cudaErrorIllegalAddress);
}

TEST_CASE("captures hold neither allocations nor waits", "[simulated]") {
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const miq_test::device_vector<float> there(exec, 64);
  cudaGraph_t graph = nullptr;
  REQUIRE(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess);
  CHECK_THROWS_AS(miq::device_array<float>(3, stream), miq::cuda_error);
  CHECK_THROWS_AS(exec.synchronise(), miq::cuda_error);
  CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorStreamCaptureInvalidated);

  REQUIRE(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess);
  launch(exec, {there.view().data()});
  REQUIRE(cudaStreamEndCapture(stream, &graph) == cudaSuccess);
  CHECK(std::isnan(there.fetch(exec)[0]));  // captured and not run
  cudaGraphExec_t run = nullptr;
  REQUIRE(cudaGraphInstantiate(&run, graph) == cudaSuccess);
  REQUIRE(cudaGraphLaunch(run, stream) == cudaSuccess);
  CHECK(there.fetch(exec)[0] == 63.0F);
  static_cast<void>(cudaGraphExecDestroy(run));
  static_cast<void>(cudaGraphDestroy(graph));
}

TEST_CASE("a device that is too old, or out of memory, says so", "[simulated]") {
  REQUIRE(setenv("MIQ_SIMULATED_CAPABILITY", "70", 1) == 0);
  CHECK_THROWS_WITH(miq::cuda_executor(nullptr),
                    miq_test::contains("device 0 must have compute capability 7.5, has 7.0"));
  unsetenv("MIQ_SIMULATED_CAPABILITY");
  const miq_test::stream stream;
  CHECK_THROWS_AS(miq::device_array<double>(std::int64_t{1} << 40, stream), miq::out_of_memory);
  const auto before = simulated::live_allocations();
  {
    const miq::cuda_executor exec(stream);
    CHECK(simulated::live_allocations() > before);
  }
  CHECK(simulated::live_allocations() == before);
}
