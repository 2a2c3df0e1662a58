#include <miq/information/kde.cuh>
