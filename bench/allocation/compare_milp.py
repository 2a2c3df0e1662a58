#!/usr/bin/env python3
"""Solves the instances of allocation_bench.cpp with SciPy's mixed-integer solver (HiGHS), for time and for the optimum.

    python3 bench/allocation/compare_milp.py --items 256 4096
"""
import argparse
import time

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_matrix

MASK = (1 << 64) - 1


def unit(index):
    z = (1 + (index + 1) * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return ((z ^ (z >> 31)) >> 11) * 2.0**-53


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[256, 1024])
    parser.add_argument("--seconds", type=float, default=60, help="time limit of one instance")
    arguments = parser.parse_args()
    bits = np.arange(2, 9)
    for items in arguments.items:
        weights = np.array([1 + np.floor(1e6 * unit(2 * i)) for i in range(items)])
        importance = np.array([10.0 ** (5 * unit(2 * i + 1)) for i in range(items)])
        stored = 16 + weights[:, None] * bits
        distortion = (importance * weights)[:, None] * 4.0 ** -bits
        budget = (16 + 4 * weights).sum()
        n = items * len(bits)
        one_each = csr_matrix((np.ones(n), (np.repeat(np.arange(items), len(bits)), np.arange(n))))
        start = time.perf_counter()
        found = milp(1e6 * distortion.ravel() / distortion[:, 2].sum(), integrality=np.ones(n), bounds=Bounds(0, 1),
                     constraints=[LinearConstraint(one_each, 1, 1),
                                  LinearConstraint(csr_matrix(stored.ravel() / budget), -np.inf, 1)],
                     options={"time_limit": arguments.seconds, "mip_rel_gap": 0})
        seconds = time.perf_counter() - start
        chosen = np.round(found.x) if found.x is not None else np.full(n, np.nan)
        over = (chosen * stored.ravel()).sum() - budget
        print(f"items {items}: {seconds:.3f} s, distortion {(chosen * distortion.ravel()).sum():.12g}, "
              f"{over:+.0f} bits over the budget, {found.message}")


main()
