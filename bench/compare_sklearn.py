#!/usr/bin/env python3
"""Times scikit-learn, SciPy and NumPy beside miq on the same data, and prints ratios.

    compare_sklearn.py BUILD_FOLDER [section ...] [--threads 2]

BUILD_FOLDER holds bench/information/bench_information and bench/grouping/bench_grouping, built for release. Sections:
correlation, histogram, knn, kde, spectral, linkage; all of them unless some are named. Needs numpy, scikit-learn and
SciPy. Peers that would take minutes run on a part of the pairs; their time is scaled to all of them, and the table says
how many were measured. Times are of the wall clock, the least of three: keep the machine quiet.
"""
import argparse
import json
import os
import subprocess
import sys
import time


def uniform(seed, index):
    """miq::random_hash(seed, index) >> 40, in units of 2^-24."""
    import numpy as np

    with np.errstate(over="ignore"):
        z = np.uint64(seed) + (index + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return ((z ^ (z >> np.uint64(31))) >> np.uint64(40)).astype(np.float64) * 2.0**-24


def samples(channels, tokens):
    """The samples of bench/information/samples.hpp, to the bit."""
    import numpy as np

    own = np.full((tokens, channels), -6.0)
    first = np.arange(tokens * channels, dtype=np.uint64).reshape(tokens, channels) * np.uint64(12)
    for i in range(12):
        own += uniform(1, first + np.uint64(i))
    x = np.empty((tokens, channels), dtype=np.float32)
    before = np.zeros(tokens)
    for c in range(channels):
        before = 0.5 * before + 0.5 * own[:, c]
        x[:, c] = before
    return x


def timed(work):
    """Seconds, the least of three runs."""
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def ours(options, folder, name):
    """Seconds of one benchmark, the least of three runs."""
    bench = os.path.join(options.build, "bench", folder, f"bench_{folder}")
    run = subprocess.run(
        [bench, f"--benchmark_filter=^{name}$", "--benchmark_format=json", "--benchmark_repetitions=3"],
        check=True, capture_output=True, text=True,
    )
    found = [b for b in json.loads(run.stdout)["benchmarks"] if b["run_type"] == "iteration"]
    if not found:
        sys.exit(f"{bench} has no benchmark {name}")
    best = min(found, key=lambda b: b["real_time"])
    scale = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}[best["time_unit"]]
    return best["real_time"] * scale


def report(work, peer, measured, theirs, mine):
    print(f"{work}\n  peer: {peer}; {measured}")
    print(f"  peer {theirs:.2f} s, miq {mine:.4f} s, ratio {theirs / mine:.{0 if theirs > 20 * mine else 1}f}", flush=True)


def correlation(options):
    """Correlations, all pairs of 4096 channels of 32768 tokens."""
    import numpy as np

    channels, tokens = 4096, 32768
    x = uniform(1, np.arange(tokens * channels, dtype=np.uint64)).astype(np.float32).reshape(tokens, channels)
    theirs = timed(lambda: np.corrcoef(x, rowvar=False))
    in_float = timed(lambda: np.corrcoef(x, rowvar=False, dtype=np.float32))
    name = f"correlation/channels:{channels}/tokens:{tokens}/threads:{options.threads}/real_time"
    mine = ours(options, "information", name)
    work = f"correlation: all pairs, c = {channels}, T = {tokens}, {options.threads} threads"
    report(work, "numpy.corrcoef of float32 samples, which it computes in double", "all pairs measured", theirs, mine)
    report(work, "numpy.corrcoef(dtype=float32): sums in float", "all pairs measured", in_float, mine)


def histogram(options):
    """16 bins of equal width, all pairs of 768 channels of 8192 tokens."""
    import numpy as np
    from sklearn.metrics import mutual_info_score

    channels, tokens, bins = 768, 8192, 16
    x = samples(channels, tokens)
    pairs = channels * (channels - 1) // 2
    codes = []
    for c in range(channels):
        edges = np.histogram_bin_edges(x[:, c].astype(np.float64), bins=bins)
        codes.append(np.minimum(np.searchsorted(edges, x[:, c], side="right") - 1, bins - 1))
    scaled = [bins * code for code in codes]

    def score(count):
        for j in range(1, count + 1):
            mutual_info_score(codes[0], codes[j])

    def count_cells(count):
        for j in range(1, count + 1):
            n = np.bincount(scaled[0] + codes[j], minlength=bins * bins).astype(np.float64)
            n = n[n > 0]
            np.dot(n, np.log(n))

    name = f"histogram/channels:{channels}/tokens:{tokens}/bins:{bins}/threads:{options.threads}/real_time"
    mine = ours(options, "information", name)
    work = f"histogram: {bins} bins, all pairs, c = {channels}, T = {tokens}, {options.threads} threads"
    for some, run, peer in ((200, score, "sklearn.metrics.mutual_info_score"), (700, count_cells, "numpy.bincount")):
        theirs = timed(lambda: run(some)) / some
        report(work, f"a loop over {peer} of codes made beforehand, one thread (it has no more)",
               f"{some} of {pairs} pairs measured, {theirs * 1e6:.1f} us a pair", theirs * pairs, mine)


def knn(options):
    """KSG-1, k = 3, all pairs of 256 channels of 2048 tokens."""
    from sklearn.feature_selection import mutual_info_regression

    channels, tokens, targets = 256, 2048, 2
    x = samples(channels, tokens)
    wall = timed(lambda: [mutual_info_regression(x, x[:, 7 + i], n_jobs=options.threads) for i in range(targets)])
    pairs = targets * channels
    scale = channels / targets
    name = f"knn/channels:{channels}/tokens:{tokens}/threads:{options.threads}/variant:1/shape:0/real_time"
    mine = ours(options, "information", name)
    report(f"knn: KSG-1, k = 3, all pairs, c = {channels}, T = {tokens}, {options.threads} threads",
           f"mutual_info_regression, n_jobs={options.threads}, every channel as the target once",
           f"{pairs} of {channels * channels} pairs measured, {wall / pairs * 1e3:.2f} ms a pair",
           wall * scale, mine)


def kde(options):
    """Gaussian kernels, all pairs of 128 channels of 2048 tokens."""
    import numpy as np
    from scipy.stats import gaussian_kde

    channels, tokens, some = 128, 2048, 4
    x = samples(channels, tokens).astype(np.float64)

    def joint():
        for i in range(some):
            both = np.stack([x[:, i], x[:, i + 1]])
            np.log(gaussian_kde(both)(both))

    def alone():
        for i in range(some):
            np.log(gaussian_kde(x[:, i])(x[:, i]))

    two, one = timed(joint), timed(alone)
    pairs = channels * (channels - 1) // 2
    total = two / some * pairs + one / some * channels
    mine = ours(options, "information", f"kde/channels:{channels}/tokens:{tokens}/threads:{options.threads}/real_time")
    report(f"kde: Gaussian kernels, all pairs, c = {channels}, T = {tokens}, {options.threads} threads",
           "scipy.stats.gaussian_kde (one thread: it has no more), each pair once, each channel alone once",
           f"{some} of {pairs} pairs measured, {two / some * 1e3:.1f} ms a pair", total, mine)


def affinity(n, inside, groups=32):
    """The matrix of bench_grouping.cpp, to the bit."""
    import numpy as np

    a = np.zeros((n, n), dtype=np.float32)
    block = np.arange(n) * groups // n
    for i in range(1, n):
        values = uniform(1, np.uint64(i * n) + np.arange(i, dtype=np.uint64)).astype(np.float32) * np.float32(0.25)
        values *= np.where(block[i] == block[:i], np.float32(inside), np.float32(1))
        a[i, :i] = a[:i, i] = values
    return a


def spectral(options):
    """32 groups of 3072 columns, k-means started 10 times."""
    from sklearn.cluster import SpectralClustering

    for inside, label in ((2, "32 blocks"), (1, "no structure")):
        a = affinity(3072, inside)
        theirs = timed(lambda: SpectralClustering(
            n_clusters=32, affinity="precomputed", n_init=10, random_state=0).fit(a))
        mine = ours(options, "grouping",
                    f"spectral/channels:3072/inside:{inside}/threads:{options.threads}/real_time")
        report(f"spectral: 32 groups of 3072 columns, {label}, {options.threads} threads",
               "sklearn.cluster.SpectralClustering", "precomputed affinity, k-means started 10 times", theirs, mine)


def linkage(options):
    """Linkage of 8192 columns from their distances."""
    import numpy as np
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    distance = np.sqrt(np.float32(1) - affinity(8192, 2) ** 2)
    np.fill_diagonal(distance, 0)
    condensed = squareform(distance, checks=False).astype(np.float64)
    del distance
    for number, method in enumerate(("single", "complete", "average")):
        theirs = timed(lambda: hierarchy.linkage(condensed, method))
        mine = ours(options, "grouping",
                    f"linkage/method:{number}/channels:8192/threads:{options.threads}/real_time")
        report(f"linkage: {method}, 8192 columns, {options.threads} threads",
               "scipy.cluster.hierarchy.linkage, one thread (it has no more)",
               "from the condensed matrix in double, which it needs; miq's from the full one in float", theirs, mine)


SECTIONS = {"correlation": correlation, "histogram": histogram, "knn": knn, "kde": kde, "spectral": spectral,
            "linkage": linkage}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="the folder of a release build")
    parser.add_argument("sections", nargs="*", help=f"{', '.join(SECTIONS)}; all if none is named")
    parser.add_argument("--threads", type=int, default=2, choices=(1, 2))
    options = parser.parse_args()
    unknown = set(options.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)  # read when numpy is first imported
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name in options.sections or SECTIONS:
        SECTIONS[name](options)


if __name__ == "__main__":
    main()
