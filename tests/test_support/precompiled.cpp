// The unit that the precompiled headers belong to.
#include "test_support/precompiled.hpp"
