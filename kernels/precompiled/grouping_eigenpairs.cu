#include <miq/grouping/eigenpairs.cuh>

// `spectral` calls it, too.
template miq::grouping::eigenpairs_result miq::grouping::detail::largest_eigenpairs_on_machine<
    miq::device::stream_machine>(const miq::device::stream_machine&, const float*, std::int64_t, std::int64_t, int,
                                 const miq::grouping::eigenpairs_options&, std::byte*);
