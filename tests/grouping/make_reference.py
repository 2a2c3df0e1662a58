#!/usr/bin/env python3
"""Writes reference_values.hpp: what scikit-learn makes of the inputs that the grouping tests use.

Needs numpy and scikit-learn. Run from any folder; the tests need only the file that it writes. Inputs are either stored
in that file (points of scikit-learn's own data sets, rounded to 5 decimals) or made from `miq::random_hash`, which is
written here a second time.
"""
import pathlib
import numpy as np
import sklearn
from sklearn import cluster, datasets, metrics

MASK = (1 << 64) - 1


def random_hash(seed, index):
    """SplitMix64: the index-th output of the generator started at seed."""
    z = (seed + (index + 1) * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def unit(seed, index):
    """Uniform on [0, 1), 24 bits, exact in single precision."""
    return (random_hash(seed, index) >> 40) * 2.0**-24


def uniform_points(seed, n, d):
    return np.array([[unit(seed, i * d + j) for j in range(d)] for i in range(n)])


def block_model(seed, sizes, inside, outside):
    """Affinities: u * inside within a block, u * outside between blocks; blocks are interleaved as given by `order`."""
    n = sum(sizes)
    block = np.repeat(np.arange(len(sizes)), sizes)
    order = sorted(range(n), key=lambda i: (random_hash(seed + 1, i), i))
    block = block[order]
    a = np.zeros((n, n))
    for i in range(n):
        for j in range(i):
            a[i, j] = a[j, i] = unit(seed, i * n + j) * (inside if block[i] == block[j] else outside)
    return a.astype(np.float32), block


def spectral(affinity, k):
    model = cluster.SpectralClustering(n_clusters=k, affinity="precomputed", n_init=20, random_state=0)
    return model.fit_predict(np.asarray(affinity, dtype=np.float64))


def rbf(points, gamma):
    square = ((points[:, None, :] - points[None, :, :]) ** 2).sum(-1)
    a = np.exp(-gamma * square)
    np.fill_diagonal(a, 0)
    return a


def numbers(values, form):
    return ",\n    ".join(", ".join(form.format(v) for v in values[i : i + 20]) for i in range(0, len(values), 20))


def array(kind, name, values, form):
    return f"inline constexpr {kind} {name}[] = {{\n    {numbers(list(values), form)}}};\n"


def main():
    out = [
        "// Written by make_reference.py with scikit-learn "
        + f"{sklearn.__version__}: do not edit. Labels, inertias and silhouettes are scikit-learn's.\n"
        "#pragma once\n\n#include <array>\n#include <cstdint>\n\nnamespace miq_test::grouping_reference {\n\n"
        "// clang-format off\n"
    ]

    # Planar data sets of scikit-learn's gallery, with Gaussian affinities exp(-gamma |x - y|^2).
    cases = {
        "moons": (datasets.make_moons(n_samples=150, noise=0.05, random_state=1), 40.0, 2),
        "circles": (datasets.make_circles(n_samples=150, factor=0.5, noise=0.04, random_state=2), 40.0, 2),
        "blobs": (datasets.make_blobs(n_samples=150, centers=4, cluster_std=0.8, random_state=3), 0.5, 4),
    }
    for name, ((points, truth), gamma, k) in cases.items():
        points = np.round(points, 5)
        labels = spectral(rbf(points, gamma), k)
        assert name == "blobs" or metrics.adjusted_rand_score(truth, labels) == 1.0, name
        out.append(f"inline constexpr double {name}_gamma = {gamma};\ninline constexpr int {name}_groups = {k};\n")
        out.append(array("float", f"{name}_points", points.ravel(), "{:.5f}F"))
        out.append(array("int", f"{name}_labels", labels, "{}"))

    # Random block models.
    out.append(
        "struct block_model { std::uint64_t seed; int blocks; std::array<int, 8> sizes; float inside, outside; "
        "const int* labels; };\n"
    )
    models = [
        (11, [30, 30, 30], 1.0, 0.5),
        (12, [40, 25, 20, 10], 1.0, 0.3),
        (13, [17, 13, 11, 7, 5], 1.0, 0.125),
        (14, [29, 23, 31, 19, 37, 17, 13, 11], 1.0, 0.1875),
        (15, [101, 103, 107], 1.0, 0.625),
    ]
    rows = []
    for seed, sizes, inside, outside in models:
        affinity, block = block_model(seed, sizes, np.float32(inside), np.float32(outside))
        labels = spectral(affinity, len(sizes))
        print("block model", seed, "against the truth", metrics.adjusted_rand_score(block, labels))
        out.append(array("int", f"block_labels_{seed}", labels, "{}"))
        padded = ", ".join(str(s) for s in sizes + [0] * (8 - len(sizes)))
        rows.append(f"    {{{seed}, {len(sizes)}, {{{padded}}}, {inside}F, {outside}F, block_labels_{seed}}},\n")
    out.append("inline constexpr block_model block_models[] = {\n" + "".join(rows) + "};\n")

    # Inertia of k-means on Fisher's irises (1936), the best of 10 starts. In eight groups of them, and on uniform
    # points, starts end in many different optima: the mean over many single starts.
    iris = datasets.load_iris().data
    out.append(array("float", "iris", iris.ravel(), "{:.1f}F"))
    out.append("struct inertia { std::uint64_t seed; int points, columns, groups, starts; double value; };\n")
    rows = []
    for k in (1, 2, 3, 5):
        model = cluster.KMeans(k, n_init=10, random_state=0).fit(iris)
        rows.append(f"    {{0, 150, 4, {k}, 1, {model.inertia_:.9g}}},\n")
    for seed, n, d, k in ((0, 150, 4, 8), (21, 500, 2, 7), (22, 300, 8, 10), (23, 211, 5, 13), (24, 1021, 3, 16)):
        points = uniform_points(seed, n, d) if seed else iris
        starts = [cluster.KMeans(k, n_init=1, random_state=r).fit(points).inertia_ for r in range(2000 if seed == 0 else 200)]
        error = np.std(starts) / np.sqrt(len(starts)) / np.mean(starts)
        print("single starts", seed, "relative standard error of the mean", error)
        assert error < 0.0017
        rows.append(f"    {{{seed}, {n}, {d}, {k}, {len(starts)}, {np.mean(starts):.9g}}},\n")
    out.append("// seed 0: the irises; otherwise uniform points\ninline constexpr inertia inertias[] = {\n" + "".join(rows) + "};\n")

    # Silhouettes of arbitrary labels on uniform points, Euclidean distances rounded to single precision.
    out.append("struct silhouette { std::uint64_t seed; int points, columns, groups; double mean, first, last; };\n")
    rows = []
    for seed, n, d, k in ((31, 7, 2, 2), (32, 61, 3, 5), (33, 130, 2, 20), (34, 301, 4, 3)):
        points = uniform_points(seed, n, d)
        labels = np.array([i if i < k else random_hash(seed + 100, i) % k for i in range(n)])
        distance = np.sqrt(((points[:, None, :] - points[None, :, :]) ** 2).sum(-1)).astype(np.float32).astype(float)
        widths = metrics.silhouette_samples(distance, labels, metric="precomputed")
        rows.append(f"    {{{seed}, {n}, {d}, {k}, {widths.mean():.9f}, {widths[0]:.9f}, {widths[-1]:.9f}}},\n")
    out.append("inline constexpr silhouette silhouettes[] = {\n" + "".join(rows) + "};\n")
    out.append("// clang-format on\n\n}  // namespace miq_test::grouping_reference\n")
    (pathlib.Path(__file__).parent / "reference_values.hpp").write_text("".join(out))


if __name__ == "__main__":
    main()
