#include <miq/grouping/detail/dense_eigensolver.inl>
