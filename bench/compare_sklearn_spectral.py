#!/usr/bin/env python3
"""Times scikit-learn's SpectralClustering and miq's grouping::spectral on the same affinities and prints the ratio.

    compare_sklearn_spectral.py BENCH_GROUPING [--channels 3072] [--threads 2]

BENCH_GROUPING is the built program bench_grouping. Needs numpy and scikit-learn. Both start k-means 10 times, 32 groups.
"""
import argparse
import json
import os
import subprocess
import sys
import time


def unit(index):
    """Uniform on [0, 1), 24 bits: miq::random_hash(1, index) >> 40, in units of 2^-24."""
    import numpy as np

    z = np.uint64(1) + (index + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)


def affinity(n, inside, groups=32):
    """The matrix of bench_grouping.cpp, to the bit."""
    import numpy as np

    i, j = np.tril_indices(n, -1)
    with np.errstate(over="ignore"):
        values = unit(i.astype(np.uint64) * np.uint64(n) + j.astype(np.uint64)) * np.float32(0.25)
    values *= np.where(i * groups // n == j * groups // n, np.float32(inside), np.float32(1))
    a = np.zeros((n, n), dtype=np.float32)
    a[i, j] = values
    a[j, i] = values
    return a


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("bench", help="the program bench_grouping")
    options.add_argument("--channels", type=int, default=3072, choices=(768, 3072))
    options.add_argument("--threads", type=int, default=2, choices=(1, 2))
    arguments = options.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(arguments.threads)  # read when numpy is first imported
    from sklearn.cluster import SpectralClustering

    print(f"{'matrix':<14}{'scikit-learn s':>16}{'miq s':>10}{'ratio':>8}")
    for inside, label in ((2, "32 blocks"), (1, "no structure")):
        a = affinity(arguments.channels, inside)
        peer = []
        for _ in range(3):
            start = time.perf_counter()
            SpectralClustering(n_clusters=32, affinity="precomputed", n_init=10, random_state=0).fit(a)
            peer.append(time.perf_counter() - start)
        name = f"spectral/channels:{arguments.channels}/inside:{inside}/threads:{arguments.threads}/real_time"
        run = subprocess.run(
            [arguments.bench, f"--benchmark_filter=^{name}$", "--benchmark_format=json"],
            check=True, capture_output=True, text=True,
        )
        found = json.loads(run.stdout)["benchmarks"]
        if not found:
            sys.exit(f"{arguments.bench} has no benchmark {name}")
        ours = found[0]["real_time"] / 1e3
        print(f"{label:<14}{min(peer):>16.3f}{ours:>10.3f}{min(peer) / ours:>8.1f}")


if __name__ == "__main__":
    main()
