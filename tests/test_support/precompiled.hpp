// test_support/precompiled.hpp: what most tests include, compiled beforehand.
#pragma once

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "test_support/catch.hpp"
