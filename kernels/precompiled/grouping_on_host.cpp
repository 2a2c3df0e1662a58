#include <miq/grouping/detail/group_on_host.inl>
#include <miq/grouping/hierarchical.cuh>
