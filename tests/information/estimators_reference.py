#!/usr/bin/env python3
"""Writes estimators_values.hpp: what scikit-learn and NumPy say about the samples of estimators_samples.hpp.

    estimators_reference.py > estimators_values.hpp

The samples are made here again, to the bit. scikit-learn's functions are called behind the step that adds noise.
"""
import numpy as np
from sklearn.feature_selection._mutual_info import _compute_mi_cc, _compute_mi_cd
from sklearn.preprocessing import scale

TOKENS, CHANNELS = 700, 6


def uniform(seed, index):
    """miq::random_hash(seed, index) >> 40, in units of 2^-24."""
    z = np.uint64(seed) + (index.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(40)).astype(np.float64) * 2.0**-24


def bell(seed, t):
    """The sum of 12 uniform numbers, less 6; exact."""
    return sum(uniform(seed, 12 * t + i) for i in range(12)) - 6


def samples():
    t = np.arange(TOKENS)
    a, b, c = bell(1, t), bell(2, t), uniform(3, t)
    x = np.stack([a, 0.75 * a + 0.5 * b, b * b, c, (c - 0.5) * a, a * np.abs(a)], axis=1).astype(np.float32)
    labels = np.floor(2 * np.abs(a) + 2 * c).astype(np.int32)  # 0 to about 8: rare ones, and single ones
    return x, labels


def width(x, rule, dimensions):
    n = len(x)
    spread = np.std(x, ddof=1)
    if rule == "silverman":
        spread = min(spread, (np.quantile(x, 0.75) - np.quantile(x, 0.25)) / 1.34)
    if dimensions == 2:
        return spread * n ** (-1 / 6)
    return spread * n**-0.2 * (0.9 if rule == "silverman" else (4 / 3) ** 0.2)


def kernels(x, rule, dimensions, leave_one_out):
    h = width(x, rule, dimensions)
    k = np.maximum(np.exp(-0.5 * ((x[:, None] - x[None, :]) / h) ** 2), 2.0**-62)  # else ln 0 for some
    k /= h * np.sqrt(2 * np.pi)
    if leave_one_out:
        np.fill_diagonal(k, 0)
    return k / (len(x) - leave_one_out)


def information(x, y, rule, leave_one_out):
    k, m = kernels(x, rule, 2, leave_one_out), kernels(y, rule, 2, leave_one_out)
    others = len(x) - leave_one_out
    return np.mean(np.log(others * (k * m).sum(1) / (k.sum(1) * m.sum(1))))


def entropy(x, rule, leave_one_out):
    return -np.mean(np.log(kernels(x, rule, 1, leave_one_out).sum(1)))


def rows(name, dimensions, values):
    print(f"inline constexpr double {name}{dimensions} = {{")
    for row in values:
        lines = [", ".join(f"{v:.10g}" for v in row[i : i + 8]) for i in range(0, len(row), 8)]
        print("    {" + ",\n     ".join(lines) + "},")
    print("};")


def main():
    with np.errstate(over="ignore"):
        x, labels = samples()
    x = x.astype(np.float64)
    # Whole multiples of 2^-16 have differences whose squares are exact: scikit-learn's Euclidean distances then round
    # nothing, and no count depends on it.
    grid = np.round(x * 65536) / 65536
    pairs = [(i, j) for i in range(CHANNELS) for j in range(i + 1, CHANNELS)]
    scaled = [scale(x[:, c], with_mean=False) for c in range(CHANNELS)]
    print("// Written by estimators_reference.py (NumPy, scikit-learn). Pairs i < j in the order (0, 1), (0, 2), ...")
    print("#pragma once\n\n// clang-format off\nnamespace miq_test::expected {\n")
    print("/// scikit-learn's mutual_info_regression without its noise, for k = 1, 3, 10; not below 0.")
    rows("regression", f"[3][{len(pairs)}]",
         [[_compute_mi_cc(scaled[i], scaled[j], k) for i, j in pairs] for k in (1, 3, 10)])
    print("/// scikit-learn's mutual_info_classif without its noise, of channels rounded to multiples of 2^-16.")
    rows("classification", f"[3][{CHANNELS}]",
         [[_compute_mi_cd(grid[:, c], labels, k) for c in range(CHANNELS)] for k in (2, 3, 10)])
    counts = np.unique(labels, return_counts=True)[1]
    print(f"inline constexpr int classes = {np.sum(counts > 1)}, left_out = {np.sum(counts == 1)};")
    print("/// Kernel densities by NumPy: silverman, scott, each leaving one out, then not.")
    choices = [(rule, one) for rule in ("silverman", "scott") for one in (True, False)]
    rows("kernel_information", f"[4][{len(pairs)}]",
         [[information(x[:, i], x[:, j], *choice) for i, j in pairs] for choice in choices])
    rows("kernel_entropy", f"[4][{CHANNELS}]",
         [[entropy(x[:, c], *choice) for c in range(CHANNELS)] for choice in choices])
    print("\n}  // namespace miq_test::expected")


if __name__ == "__main__":
    main()
