// interop/dlpack.hpp: DLPack tensors as views, and views as DLPack tensors.
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

#include <miq/core/error.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/numeric_types.hpp>

namespace miq::interop {

/// The numbers of the DLPack standard (https://dmlc.github.io/dlpack/latest, version 1): devices and kinds of elements.
namespace dlpack {
inline constexpr int cpu = 1;               ///< kDLCPU
inline constexpr int cuda = 2;              ///< kDLCUDA
inline constexpr int cuda_host = 3;         ///< kDLCUDAHost: pinned
inline constexpr int cuda_managed = 13;     ///< kDLCUDAManaged
inline constexpr int signed_integer = 0;    ///< kDLInt
inline constexpr int unsigned_integer = 1;  ///< kDLUInt
inline constexpr int floating_point = 2;    ///< kDLFloat
inline constexpr int bfloat = 4;            ///< kDLBfloat
inline constexpr int boolean = 6;           ///< kDLBool
/// `DLManagedTensorVersioned::flags`: the producer forbids writing.
inline constexpr std::uint64_t read_only = 1;
}  // namespace dlpack

/// A `DLTensor`, of whichever `dlpack.h` the caller has included: this header needs none.
template <class Tensor>
concept dlpack_tensor = requires(const Tensor& t) {
  { t.data } -> std::convertible_to<void*>;
  t.device.device_type;
  { t.ndim } -> std::convertible_to<int>;
  t.dtype.code;
  t.dtype.bits;
  t.dtype.lanes;
  { t.shape } -> std::convertible_to<const std::int64_t*>;
  { t.strides } -> std::convertible_to<const std::int64_t*>;
  { t.byte_offset } -> std::convertible_to<std::uint64_t>;
};

/// A `DLManagedTensor` or `DLManagedTensorVersioned`.
template <class Managed>
concept dlpack_managed_tensor = requires(const Managed& m) {
  m.dl_tensor;
  requires dlpack_tensor<std::remove_cvref_t<decltype(m.dl_tensor)>>;
};

namespace detail {

template <class T>
constexpr int dlpack_code() {
  if constexpr (std::is_same_v<T, float16> || std::is_floating_point_v<T>)
    return dlpack::floating_point;
  else if constexpr (std::is_same_v<T, bfloat16>)
    return dlpack::bfloat;
  else if constexpr (std::is_same_v<T, bool>)
    return dlpack::boolean;
  else
    return std::is_signed_v<T> ? dlpack::signed_integer : dlpack::unsigned_integer;
}

template <class Space>
constexpr bool dlpack_reaches(int device) {
  if constexpr (std::is_same_v<Space, host_memory>)
    return device == dlpack::cpu || device == dlpack::cuda_host || device == dlpack::cuda_managed;
  else
    return device == dlpack::cuda || device == dlpack::cuda_managed || device == dlpack::cuda_host;
}

/// Checks everything but the shape; returns where the elements begin.
template <class T, class Space, dlpack_tensor Tensor>
T* dlpack_data(const Tensor& t, int dimensions) {
  using miq::detail::require;
  using element = std::remove_const_t<T>;
  require(static_cast<int>(t.ndim) == dimensions, "interop: tensor must have ", dimensions, " dimensions, got ",
          static_cast<int>(t.ndim));
  const int code = static_cast<int>(t.dtype.code), bits = static_cast<int>(t.dtype.bits);
  require(code == dlpack_code<element>() && bits == static_cast<int>(8 * sizeof(element)) &&
              static_cast<int>(t.dtype.lanes) == 1,
          "interop: tensor must hold elements of DLPack kind ", dlpack_code<element>(), " with ",
          static_cast<int>(8 * sizeof(element)), " bits in 1 lane, got kind ", code, " with ", bits, " bits in ",
          static_cast<int>(t.dtype.lanes));
  const int device = static_cast<int>(t.device.device_type);
  require(dlpack_reaches<Space>(device), "interop: tensor must be in ",
          std::is_same_v<Space, host_memory> ? "memory of the host" : "memory of a CUDA device", ", got DLPack device ",
          device);
  require(t.shape != nullptr, "interop: shape of the tensor is null");
  bool empty = false;
  for (int d = 0; d < dimensions; ++d) {
    require(t.shape[d] >= 0, "interop: extents of the tensor must not be negative, got ", t.shape[d], " for dimension ",
            d);
    empty = empty || t.shape[d] == 0;
  }
  if (empty) return nullptr;
  require(t.data != nullptr, "interop: data of the tensor is null");
  const auto address = reinterpret_cast<std::uintptr_t>(t.data) + static_cast<std::uintptr_t>(t.byte_offset);
  require(address % alignof(element) == 0, "interop: elements must be aligned to ",
          static_cast<std::int64_t>(alignof(element)), " bytes, but byte_offset is ",
          static_cast<std::uint64_t>(t.byte_offset));
  return reinterpret_cast<T*>(address);
}

template <class T, dlpack_managed_tensor Managed>
void check_managed(const Managed& m) {
  // Of another major version nothing else may be read.
  if constexpr (requires { m.version.major; })
    miq::detail::require(m.version.major == 1, "interop: tensor must be of DLPack version 1, got ",
                         static_cast<std::int64_t>(m.version.major));
  if constexpr (!std::is_const_v<T> && requires { m.flags; })
    miq::detail::require((static_cast<std::uint64_t>(m.flags) & dlpack::read_only) == 0,
                         "interop: tensor is read-only; take a view of const elements");
}

}  // namespace detail

/// The view of a tensor of two dimensions, row-major; strides null or any with contiguous rows. Copies nothing, owns
/// nothing: the tensor must outlive the view. The device's number is not looked at.
///
/// @tparam T      the element type, const for tensors that may not be written
/// @tparam Space  `host_memory` (CPU, CUDA host and managed memory) or `device_memory` (CUDA device, managed and host)
/// @throws invalid_argument  if dimensions, element type, device, strides, or alignment are not these
template <class T, class Space = host_memory, dlpack_tensor Tensor>
matrix_view<T, Space> matrix_of(const Tensor& tensor) {
  T* const data = detail::dlpack_data<T, Space>(tensor, 2);
  const std::int64_t rows = tensor.shape[0], columns = tensor.shape[1];
  if (data == nullptr) return matrix_view<T, Space>(nullptr, rows, columns);
  std::int64_t leading = columns;
  if (tensor.strides != nullptr) {
    miq::detail::require(tensor.strides[1] == 1 || columns == 1,
                         "interop: neighbours in a row of the tensor must be neighbours in memory, got a stride of ",
                         tensor.strides[1]);
    if (rows > 1) leading = tensor.strides[0];
    miq::detail::require(leading >= columns, "interop: rows of the tensor must not overlap, got a stride of ", leading,
                         " for ", columns, " columns");
  }
  return matrix_view<T, Space>(data, rows, columns, leading);
}

/// The same of a tensor of one dimension.
template <class T, class Space = host_memory, dlpack_tensor Tensor>
vector_view<T, Space> vector_of(const Tensor& tensor) {
  T* const data = detail::dlpack_data<T, Space>(tensor, 1);
  miq::detail::require(tensor.strides == nullptr || tensor.strides[0] == 1 || tensor.shape[0] <= 1,
                       "interop: elements of the tensor must be contiguous, got a stride of ",
                       tensor.strides == nullptr ? 1 : tensor.strides[0]);
  return vector_view<T, Space>(data, tensor.shape[0]);
}

/// The same of managed tensors; one that says it is read-only gives views of const elements alone. The view does not
/// keep the tensor: call its `deleter` when both are done with.
template <class T, class Space = host_memory, dlpack_managed_tensor Managed>
matrix_view<T, Space> matrix_of(const Managed& managed) {
  detail::check_managed<T>(managed);
  return matrix_of<T, Space>(managed.dl_tensor);
}
template <class T, class Space = host_memory, dlpack_managed_tensor Managed>
vector_view<T, Space> vector_of(const Managed& managed) {
  detail::check_managed<T>(managed);
  return vector_of<T, Space>(managed.dl_tensor);
}

/// Where the shape and strides of a tensor made by `tensor_of` are.
struct dlpack_extents {
  std::int64_t shape[2] = {};
  std::int64_t strides[2] = {};
};

namespace detail {

template <dlpack_tensor Tensor, class T, class Space>
Tensor tensor_on(T* data, int dimensions, dlpack_extents& extents, int device) {
  using element = std::remove_const_t<T>;
  Tensor tensor{};
  tensor.data = const_cast<element*>(data);
  tensor.device.device_type = static_cast<std::remove_cvref_t<decltype(tensor.device.device_type)>>(
      std::is_same_v<Space, host_memory> ? dlpack::cpu : dlpack::cuda);
  tensor.device.device_id = device;
  tensor.ndim = dimensions;
  tensor.dtype.code = static_cast<std::remove_cvref_t<decltype(tensor.dtype.code)>>(dlpack_code<element>());
  tensor.dtype.bits = static_cast<std::remove_cvref_t<decltype(tensor.dtype.bits)>>(8 * sizeof(element));
  tensor.dtype.lanes = 1;
  tensor.shape = extents.shape;
  tensor.strides = extents.strides;
  tensor.byte_offset = 0;
  return tensor;
}

}  // namespace detail

/// A view as a `DLTensor` that owns nothing: `tensor_of<DLTensor>(view, extents)`. DLPack has no const elements: what reads
/// the tensor must be trusted not to write where the view does not allow it.
///
/// @param extents  receives shape and strides; must outlive the tensor
/// @param device   of device memory: its number
template <dlpack_tensor Tensor, class T, class Space>
Tensor tensor_of(const matrix_view<T, Space>& m, dlpack_extents& extents, int device = 0) {
  extents = {{m.rows(), m.columns()}, {m.leading(), 1}};
  return detail::tensor_on<Tensor, T, Space>(m.data(), 2, extents, device);
}

/// The same of a vector.
template <dlpack_tensor Tensor, class T, class Space>
Tensor tensor_of(const vector_view<T, Space>& v, dlpack_extents& extents, int device = 0) {
  extents = {{v.size(), 0}, {1, 0}};
  return detail::tensor_on<Tensor, T, Space>(v.data(), 1, extents, device);
}

}  // namespace miq::interop
