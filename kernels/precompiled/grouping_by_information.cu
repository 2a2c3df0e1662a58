#include <miq/grouping/group_by_information.cuh>
