#!/usr/bin/env python3
"""Writes histogram_reference.hpp: what NumPy's bins and scikit-learn's scores say about five small channels.

    histogram_reference.py > histogram_reference.hpp

Needs numpy, scipy, scikit-learn. The channels are made from miq's hash, so that the test makes the same ones.
"""
import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import mutual_info_score
from sklearn.preprocessing import KBinsDiscretizer

TOKENS = 600


def unit(seed, index):
    """Uniform on [0, 1), 24 bits: (miq::random_hash(seed, index) >> 40) / 2^24."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + (index.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)


def channels():
    u = unit(7, np.arange(TOKENS * 8)).reshape(TOKENS, 8)
    f = np.float32
    return np.stack([u[:, 0],
                     f(0.75) * u[:, 0] + f(0.25) * u[:, 1],
                     np.maximum(u[:, 2] - f(0.5), f(0)),
                     np.floor(u[:, 3] * f(5)) + np.floor(u[:, 0] * f(2)),
                     u[:, 0] * u[:, 1] * u[:, 1]], axis=1).astype(np.float64)


def by_width(x, bins):
    edges = np.histogram_bin_edges(x, bins=bins)
    return np.minimum(np.searchsorted(edges, x, side="right") - 1, len(edges) - 2), len(edges) - 1


def by_frequency(x, bins):
    # the mean rank r of equal values: smaller ones + not larger ones = 2 r - 1
    return np.floor(bins * (2 * rankdata(x) - 1) / (2 * len(x))).astype(int), bins


def shrunk(counts):
    """Hausser and Strimmer 2009, equations 3 to 5, with the uniform target."""
    n, p = counts.sum(), counts.size
    f = counts / counts.sum()
    t = 1 / p
    away = ((t - f)**2).sum()
    intensity = min(1, (1 - (f**2).sum()) / ((n - 1) * away)) if away > 0 else 1
    return intensity * t + (1 - intensity) * f


def entropy(p):
    p = p[p > 0]
    return -(p * np.log(p)).sum()


def scores(x, y):
    (a, bins_a), (b, bins_b) = x, y
    joint = np.zeros((bins_a, bins_b))
    np.add.at(joint, (a, b), 1)
    used = [(m > 0).sum() for m in (joint.sum(1), joint.sum(0), joint)]
    plug_in = mutual_info_score(a, b)
    s = shrunk(joint)
    return [plug_in, plug_in + (used[0] + used[1] - used[2] - 1) / (2 * len(a)),
            entropy(s.sum(1)) + entropy(s.sum(0)) - entropy(s)]


def entropies(x):
    codes, bins = x
    counts = np.bincount(codes, minlength=bins)
    plain = entropy(counts / counts.sum())
    return [plain, plain + ((counts > 0).sum() - 1) / (2 * len(codes)), entropy(shrunk(counts))]


def main():
    x = channels()
    for c in (0, 1, 4):  # no ties: the usual quantile bins
        k = KBinsDiscretizer(8, encode="ordinal", strategy="quantile", subsample=None,
                             quantile_method="averaged_inverted_cdf")
        assert (k.fit_transform(x[:, c:c + 1])[:, 0] == by_frequency(x[:, c], 8)[0]).all()
    rules = {"width_16": lambda v: by_width(v, 16), "width_sqrt": lambda v: by_width(v, "sqrt"),
             "width_sturges": lambda v: by_width(v, "sturges"), "width_fd": lambda v: by_width(v, "fd"),
             "frequency_8": lambda v: by_frequency(v, 8), "frequency_7": lambda v: by_frequency(v, 7)}
    print("// Written by histogram_reference.py with NumPy, SciPy and scikit-learn.")
    print("#pragma once\n\n#include <string_view>\n\nnamespace miq_test {\n")
    print("/// A rule's bins of every channel, and the values of `entropy_estimator`'s three in their order.")
    print("struct histogram_values {\n  std::string_view rule;\n  int bins[5];\n  double information[10][3];"
          "  ///< pairs (0, 1), (0, 2), ..., (3, 4)\n  double entropies[5][3];\n};\n")
    print("// clang-format off\ninline constexpr histogram_values histogram_reference[] = {")
    text = lambda rows: "{" + ", ".join("{" + ", ".join(f"{v:.12g}" for v in r) + "}" for r in rows) + "}"
    for name, rule in rules.items():
        codes = [rule(x[:, c]) for c in range(5)]
        pairs = [scores(codes[i], codes[j]) for i in range(5) for j in range(i + 1, 5)]
        print(f'    {{"{name}", {{{", ".join(str(b) for _, b in codes)}}},\n     {text(pairs)},\n'
              f'     {text([entropies(c) for c in codes])}}},')
    print("};\n// clang-format on\n\n}  // namespace miq_test")


if __name__ == "__main__":
    main()
