#include <miq/allocation/column_costs.cuh>
