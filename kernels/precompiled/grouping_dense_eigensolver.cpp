#include <miq/grouping/detail/dense_eigensolver.inl>

template bool miq::grouping::detail::solve_symmetric(std::int64_t, double*, double*);
