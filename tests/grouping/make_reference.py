#!/usr/bin/env python3
"""Writes reference_values.hpp and tree_values.hpp: what scikit-learn and SciPy make of the inputs of the grouping tests.

    make_reference.py [points] [trees]

`points` makes reference_values.hpp (spectral, k-means, silhouettes; minutes), `trees` makes tree_values.hpp (linkage,
assignments, agreement); both by default. Needs numpy, scipy and scikit-learn. Run from any folder; the tests need only
the files that it writes. Inputs are either stored in them (points of scikit-learn's own data sets, rounded to 5
decimals) or made from `miq::random_hash`, which is written here a second time.
"""
import pathlib
import sys
import numpy as np
import scipy
import sklearn
from scipy import optimize
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform
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


def write_points():
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


def hashed_distances(seed, n):
    """Uniform on [0, 1), below the diagonal by index."""
    d = np.zeros((n, n))
    for i in range(n):
        for j in range(i):
            d[i, j] = d[j, i] = unit(seed, i * n + j)
    return d


def tied_distances(seed, n, values):
    """Whole numbers 1 .. values."""
    d = np.zeros((n, n))
    for i in range(n):
        for j in range(i):
            d[i, j] = d[j, i] = 1 + random_hash(seed, i * n + j) % values
    return d


def first_appearance(labels):
    names = {}
    return [names.setdefault(label, len(names)) for label in labels]


def tree_text(name, tree):
    rows = ", ".join(f"{{{int(a)}, {int(b)}, {h:.17g}, {int(c)}}}" for a, b, h, c in tree)
    return f"inline const std::vector<miq::grouping::cluster_merge> {name} = {{\n    {rows}}};\n"


def write_trees():
    out = [
        f"// Written by make_reference.py with SciPy {scipy.__version__} and scikit-learn {sklearn.__version__}: do not "
        "edit.\n#pragma once\n\n#include <cstdint>\n#include <vector>\n\n#include <miq/grouping/dendrogram.hpp>\n\n"
        "namespace miq_test::tree_reference {\n\n// clang-format off\n"
    ]
    methods = ("single", "complete", "average")

    # Trees of hashed distances and, for Ward's method, of uniform points.
    out.append("struct linkage_case { std::uint64_t seed; int columns; const char* method; "
               "const std::vector<miq::grouping::cluster_merge>* tree; };\n")
    cases = []
    for seed, n in ((41, 2), (42, 3), (43, 37), (44, 131)):
        for method in methods:
            name = f"tree_{seed}_{method}"
            out.append(tree_text(name, hierarchy.linkage(squareform(hashed_distances(seed, n)), method)))
            cases.append((seed, n, method, name))
        name = f"tree_{seed}_ward"
        out.append(tree_text(name, hierarchy.linkage(uniform_points(seed, n, 3), "ward")))
        cases.append((seed, n, "ward", name))
    out.append("inline const linkage_case linkages[] = {\n"
               + "".join(f'    {{{s}, {n}, "{m}", &{t}}},\n' for s, n, m, t in cases) + "};\n")

    # Whole numbers, so that most distances are tied.
    for method in ("single", "complete"):
        tree = hierarchy.linkage(squareform(tied_distances(45, 60, 3)), method)
        out.append(tree_text(f"tied_{method}", tree))
        out.append(array("int", f"tied_{method}_below_two",
                         first_appearance(hierarchy.fcluster(tree, 2, "distance")), "{}"))

    # SciPy's own test data: six Italian towns.
    towns = [662, 877, 255, 412, 996, 295, 468, 268, 400, 754, 564, 138, 219, 869, 669]
    out.append(array("float", "ytdist", towns, "{}.0F"))
    for method in methods:
        out.append(tree_text(f"ytdist_{method}", hierarchy.linkage(towns, method)))

    # A larger case, of which some heights, the order of the leaves, cuts and the cophenetic correlation are kept.
    n = 1100
    distances, points = hashed_distances(46, n), uniform_points(46, n, 3)
    for method in methods + ("ward",):
        if method == "ward":
            tree = hierarchy.linkage(points, method)
        else:
            tree = hierarchy.linkage(squareform(distances), method)
            correlation = hierarchy.cophenet(tree, squareform(distances))[0]
            out.append(f"inline constexpr double large_{method}_cophenetic = {correlation:.12g};\n")
        out.append(array("double", f"large_{method}_heights", tree[::50, 2], "{:.15g}"))
        out.append(array("int", f"large_{method}_leaves", hierarchy.leaves_list(tree)[::50], "{}"))
        cut = first_appearance(hierarchy.fcluster(tree, 25, "maxclust"))
        assert max(cut) == 24
        out.append(array("int", f"large_{method}_cut", cut[::9], "{}"))
        height = (tree[800, 2] + tree[801, 2]) / 2
        cut = first_appearance(hierarchy.fcluster(tree, height, "distance"))
        out.append(f"inline constexpr double large_{method}_height = {height:.15g};\n")
        out.append(array("int", f"large_{method}_below", cut[::9], "{}"))

    # scikit-learn's labels on the blobs of write_points and on the irises.
    blobs = np.round(datasets.make_blobs(n_samples=150, centers=4, cluster_std=0.8, random_state=3)[0], 5)
    distance = np.sqrt(((blobs[:, None, :] - blobs[None, :, :]) ** 2).sum(-1))
    for method in methods:
        labels = cluster.AgglomerativeClustering(7, metric="precomputed", linkage=method).fit_predict(distance)
        out.append(array("int", f"blobs_{method}", first_appearance(labels), "{}"))
    labels = cluster.AgglomerativeClustering(7, linkage="ward").fit_predict(blobs)
    out.append(array("int", "blobs_ward", first_appearance(labels), "{}"))

    # Assignments under bounds: SciPy's linear_sum_assignment where sizes are given, else its linear programme.
    out.append("struct assignment { std::uint64_t seed; std::vector<std::int64_t> minimum, maximum; int points; "
               "double cost; };\n")
    rows = []
    for seed, n, low, high in (
        (51, 1, [0, 0, 1], [1, 1, 1]),
        (52, 60, [15] * 4, [15] * 4),
        (53, 97, [1, 2, 4, 40, 50], [1, 2, 4, 40, 50]),
        (54, 101, [14] * 7, [15] * 7),
        (55, 200, [0, 5, 30, 0, 20, 60], [40, 5, 90, 10, 90, 61]),
        (56, 64, [1] * 64, [1] * 64),
        (57, 130, [10] * 3, [130] * 3),
    ):
        k = len(low)
        costs = np.array([[unit(seed, i * k + g) * (1 + g / 4) for g in range(k)] for i in range(n)])
        if low == high:
            places = np.repeat(np.arange(k), low)
            at, to = optimize.linear_sum_assignment(costs[:, places])
            best = costs[at, places[to]].sum()
        else:
            each_point = np.kron(np.eye(n), np.ones(k))
            each_group = np.kron(np.ones(n), np.eye(k))
            found = optimize.linprog(costs.ravel(), A_ub=np.vstack([each_group, -each_group]),
                                     b_ub=np.array(high + [-v for v in low]), A_eq=each_point, b_eq=np.ones(n))
            best = found.fun
        braces = lambda v: "{" + ", ".join(map(str, v)) + "}"
        rows.append(f"    {{{seed}, {braces(low)}, {braces(high)}, {n}, {best:.12g}}},\n")
    out.append("inline const assignment assignments[] = {\n" + "".join(rows) + "};\n")

    # Agreement of labels.
    out.append("struct agreement { std::uint64_t seed; int columns, a, b; double adjusted_rand, information, arithmetic, "
               "geometric, minimum, maximum; };\n")
    rows = []
    for seed, n, a, b in ((61, 1, 1, 1), (62, 2, 1, 2), (63, 50, 1, 1), (64, 50, 3, 1), (65, 50, 3, 4), (66, 501, 7, 2),
                          (67, 997, 40, 35), (68, 30, 1000, 1000), (69, 30, 1000, 2), (70, 40, 5, 0)):
        first = [random_hash(seed, i) % a for i in range(n)]
        # With b = 0: the first labels under other names.
        second = [random_hash(seed + 100, i) % b if b else 7 - 2 * int(first[i]) for i in range(n)]
        scores = [metrics.adjusted_rand_score(first, second), metrics.mutual_info_score(first, second)]
        for method in ("arithmetic", "geometric", "min", "max"):
            scores.append(metrics.normalized_mutual_info_score(first, second, average_method=method))
        rows.append(f"    {{{seed}, {n}, {a}, {b}, " + ", ".join(f"{s:.15g}" for s in scores) + "},\n")
    out.append("inline constexpr agreement agreements[] = {\n" + "".join(rows) + "};\n")
    out.append("// clang-format on\n\n}  // namespace miq_test::tree_reference\n")
    (pathlib.Path(__file__).parent / "tree_values.hpp").write_text("".join(out))


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["points", "trees"]
    if "points" in wanted:
        write_points()
    if "trees" in wanted:
        write_trees()
