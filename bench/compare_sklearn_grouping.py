#!/usr/bin/env python3
"""Times scikit-learn and SciPy beside miq's grouping on the same matrices and prints the ratios.

    compare_sklearn_grouping.py BENCH_GROUPING [--threads 2] [--repeats 3] [--only spectral|linkage]

BENCH_GROUPING is the built program bench_grouping. Needs numpy, scipy and scikit-learn. Spectral grouping: 32 groups of
3072 columns, both start k-means 10 times. Linkage: 8192 columns, SciPy from the condensed matrix in double precision
(which it needs), miq from the full one in single precision; SciPy uses one thread whatever it is given. Each is timed
`repeats` times, the best is printed.
"""
import argparse
import json
import os
import subprocess
import sys
import time


def unit(index, np):
    """Uniform on [0, 1), 24 bits: miq::random_hash(1, index) >> 40, in units of 2^-24."""
    z = np.uint64(1) + (index + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)


def affinity(n, inside, np, groups=32):
    """The matrix of bench_grouping.cpp, to the bit."""
    a = np.zeros((n, n), dtype=np.float32)
    block = np.arange(n) * groups // n
    for i in range(1, n):
        j = np.arange(i)
        values = unit(np.uint64(i * n) + j.astype(np.uint64), np) * np.float32(0.25)
        values *= np.where(block[i] == block[:i], np.float32(inside), np.float32(1))
        a[i, :i] = a[:i, i] = values
    return a


def best_of(repeats, work):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def miq(arguments, name):
    """Best of `repeats` runs, in seconds."""
    run = subprocess.run(
        [arguments.bench, f"--benchmark_filter=^{name}$", "--benchmark_format=json",
         f"--benchmark_repetitions={arguments.repeats}"],
        check=True, capture_output=True, text=True,
    )
    found = [b for b in json.loads(run.stdout)["benchmarks"] if b["run_type"] == "iteration"]
    if not found:
        sys.exit(f"{arguments.bench} has no benchmark {name}")
    assert all(b["time_unit"] == "ms" for b in found)
    return min(b["real_time"] for b in found) / 1e3


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("bench", help="the program bench_grouping")
    options.add_argument("--threads", type=int, default=2, choices=(1, 2))
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--only", choices=("spectral", "linkage"))
    arguments = options.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(arguments.threads)  # read when numpy is first imported
    import numpy as np
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform
    from sklearn.cluster import SpectralClustering

    end = f"threads:{arguments.threads}/real_time"
    print(f"{'work':<36}{'peer':<14}{'peer s':>8}{'miq s':>8}{'ratio':>7}", flush=True)

    def row(work, peer, theirs, ours):
        print(f"{work:<36}{peer:<14}{theirs:>8.3f}{ours:>8.3f}{theirs / ours:>7.1f}", flush=True)

    if arguments.only != "linkage":
        for inside, label in ((2, "32 blocks"), (1, "no structure")):
            a = affinity(3072, inside, np)
            theirs = best_of(arguments.repeats, lambda: SpectralClustering(
                n_clusters=32, affinity="precomputed", n_init=10, random_state=0).fit(a))
            row(f"spectral, 3072, {label}", "scikit-learn", theirs, miq(arguments, f"spectral/channels:3072/inside:{inside}/{end}"))
    if arguments.only != "spectral":
        distance = np.sqrt(np.float32(1) - affinity(8192, 2, np) ** 2)
        np.fill_diagonal(distance, 0)
        condensed = squareform(distance, checks=False).astype(np.float64)
        del distance
        for number, method in enumerate(("single", "complete", "average")):
            theirs = best_of(arguments.repeats, lambda: hierarchy.linkage(condensed, method))
            row(f"{method} linkage, 8192", "SciPy", theirs, miq(arguments, f"linkage/method:{number}/channels:8192/{end}"))


if __name__ == "__main__":
    main()
