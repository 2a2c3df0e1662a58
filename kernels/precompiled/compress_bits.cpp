#include <miq/detail/choose_bits.inl>
