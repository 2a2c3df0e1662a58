#include <miq/core/detail/error.inl>
#include <miq/core/detail/executor.inl>
