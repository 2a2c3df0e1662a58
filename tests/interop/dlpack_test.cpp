// Views of DLPack tensors and back, by the standard's own header where it is installed.
#include <cstdint>
#include <string>
#include <vector>

#include <miq/core/matrix.hpp>
#include <miq/interop/dlpack.hpp>

#include "test_support/catch.hpp"

#if __has_include(<dlpack/dlpack.h>)
#include <dlpack/dlpack.h>
static_assert(int(kDLCPU) == miq::interop::dlpack::cpu && int(kDLCUDA) == miq::interop::dlpack::cuda &&
              int(kDLCUDAHost) == miq::interop::dlpack::cuda_host &&
              int(kDLCUDAManaged) == miq::interop::dlpack::cuda_managed);
static_assert(int(kDLInt) == miq::interop::dlpack::signed_integer &&
              int(kDLUInt) == miq::interop::dlpack::unsigned_integer &&
              int(kDLFloat) == miq::interop::dlpack::floating_point && int(kDLBfloat) == miq::interop::dlpack::bfloat);
#else
// As the standard lays them out.
struct DLDevice {
  int device_type;
  std::int32_t device_id;
};
struct DLDataType {
  std::uint8_t code, bits;
  std::uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  std::int32_t ndim;
  DLDataType dtype;
  std::int64_t *shape, *strides;
  std::uint64_t byte_offset;
};
#endif

namespace {

using miq::interop::matrix_of;
using miq::interop::vector_of;

/// `DLManagedTensorVersioned` of version 1, as far as it matters here.
struct versioned {
  struct {
    std::uint32_t major = 1, minor = 0;
  } version;
  std::uint64_t flags = 0;
  DLTensor dl_tensor{};
};

struct fixture {
  float data[64] = {};
  std::int64_t shape[2] = {5, 7};
  std::int64_t strides[2] = {9, 1};
  DLTensor tensor{};

  fixture() {
    tensor.data = data;
    tensor.device.device_type = static_cast<decltype(tensor.device.device_type)>(1);
    tensor.ndim = 2;
    tensor.dtype.code = 2;
    tensor.dtype.bits = 32;
    tensor.dtype.lanes = 1;
    tensor.shape = shape;
    tensor.strides = strides;
  }
  void on(int device) { tensor.device.device_type = static_cast<decltype(tensor.device.device_type)>(device); }
};

}  // namespace

TEST_CASE("views of DLPack tensors", "[interop]") {
  fixture f;
  auto view = matrix_of<const float>(f.tensor);
  CHECK(view.rows() == 5);
  CHECK(view.columns() == 7);
  CHECK(&view(4, 6) == f.data + 42);
  f.tensor.byte_offset = 8;
  CHECK(&matrix_of<float>(f.tensor)(0, 0) == f.data + 2);
  f.tensor.byte_offset = 0;
  f.tensor.strides = nullptr;  // contiguous
  CHECK(matrix_of<float>(f.tensor).leading() == 7);
  f.tensor.ndim = 1;
  CHECK(vector_of<float>(f.tensor).size() == 5);
  f.tensor.ndim = 2;
  f.shape[0] = 0;
  f.tensor.data = nullptr;
  CHECK(matrix_of<float>(f.tensor).empty());
}

TEST_CASE("the memory of a tensor and the memory space of a view agree", "[interop]") {
  fixture f;
  for (const int device : {1, 3, 13}) {
    f.on(device);
    CHECK_NOTHROW(matrix_of<float>(f.tensor));
  }
  for (const int device : {2, 3, 13}) {
    f.on(device);
    CHECK_NOTHROW(matrix_of<float, miq::device_memory>(f.tensor));
  }
  f.on(2);
  CHECK_THROWS_WITH(matrix_of<float>(f.tensor), miq_test::contains("memory of the host, got DLPack device 2"));
  f.on(1);
  CHECK_THROWS_WITH((matrix_of<float, miq::device_memory>(f.tensor)), miq_test::contains("CUDA device"));
}

TEST_CASE("tensors that are no such view are refused by name", "[interop]") {
  const auto refused = [](auto&& change, const std::string& part) {
    fixture f;
    change(f);
    CHECK_THROWS_AS(matrix_of<float>(f.tensor), miq::invalid_argument);
    CHECK_THROWS_WITH(matrix_of<float>(f.tensor), miq_test::contains(part));
  };
  refused([](fixture& f) { f.tensor.ndim = 3; }, "2 dimensions, got 3");
  refused([](fixture& f) { f.tensor.dtype.bits = 64; }, "got kind 2 with 64 bits");
  refused([](fixture& f) { f.tensor.dtype.code = 0; }, "got kind 0");
  refused([](fixture& f) { f.tensor.dtype.lanes = 4; }, "in 4");
  refused([](fixture& f) { f.strides[1] = 2; }, "a stride of 2");
  refused([](fixture& f) { f.strides[0] = 3; }, "must not overlap");
  refused([](fixture& f) { f.strides[0] = -9; }, "must not overlap");
  refused([](fixture& f) { f.shape[1] = -1; }, "negative");
  refused([](fixture& f) { f.tensor.byte_offset = 2; }, "aligned to 4");
  refused([](fixture& f) { f.tensor.data = nullptr; }, "data of the tensor is null");
  refused([](fixture& f) { f.tensor.shape = nullptr; }, "shape of the tensor is null");
}

TEST_CASE("a read-only tensor gives views of const elements", "[interop]") {
  fixture f;
  versioned managed;
  managed.dl_tensor = f.tensor;
  CHECK_NOTHROW(matrix_of<float>(managed));
  managed.flags = 1;
  CHECK_THROWS_WITH(matrix_of<float>(managed), miq_test::contains("read-only"));
  CHECK_NOTHROW(matrix_of<const float>(managed));
  managed.version.major = 2;
  CHECK_THROWS_WITH(matrix_of<const float>(managed), miq_test::contains("version 1, got 2"));
}

TEST_CASE("tensors of views and back", "[interop]") {
  miq::matrix<miq::bfloat16> m(6, 4);
  const miq::matrix_view<miq::bfloat16> part(m.data() + 1, 5, 3, 4);
  miq::interop::dlpack_extents extents;
  const auto tensor = miq::interop::tensor_of<DLTensor>(part, extents);
  CHECK(static_cast<int>(tensor.dtype.code) == 4);
  CHECK(static_cast<int>(tensor.dtype.bits) == 16);
  const auto back = matrix_of<miq::bfloat16>(tensor);
  CHECK(back.data() == part.data());
  CHECK(back.rows() == 5);
  CHECK(back.leading() == 4);
  CHECK_THROWS(matrix_of<miq::float16>(tensor));
  std::vector<double> values(11);
  const auto vector = miq::interop::tensor_of<DLTensor>(miq::vector_view<double>(values), extents);
  CHECK(&vector_of<double>(vector)[10] == &values[10]);
}
