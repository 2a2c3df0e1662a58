#!/usr/bin/env python3
"""Writes activations_values.hpp: what NumPy, SciPy and scikit-learn say about data/activations.f32.

    activations_reference.py > activations_values.hpp
"""
import pathlib

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform
from scipy.special import ndtri
from scipy.stats import rankdata
from sklearn.cluster import AgglomerativeClustering
from sklearn.feature_selection._mutual_info import _compute_mi_cc
from sklearn.metrics import mutual_info_score, silhouette_score

from histogram_reference import by_frequency, by_width

CHANNELS = 12
x = np.fromfile(pathlib.Path(__file__).parent / "data/activations.f32", "<f4").reshape(-1, CHANNELS).astype(np.float64)
pairs = [(i, j) for i in range(CHANNELS) for j in range(i + 1, CHANNELS)]


def gaussian(z):
    rho = np.corrcoef(z.T)
    return [-0.5 * np.log1p(-rho[p] ** 2) for p in pairs]


def by_codes(codes):
    return [mutual_info_score(codes[i], codes[j]) for i, j in pairs]


def show(name, values, kind="double", size=None):
    text = [f"{v:.10g}" for v in values]
    lines = [", ".join(text[i:i + 9]) for i in range(0, len(text), 9)]
    print(f"inline constexpr {kind} {name}[] = {{\n    " + ",\n    ".join(lines) + "};\n")


def main():
    standard = x / x.std(axis=0)
    information = gaussian(x)
    distance = squareform(np.exp(-np.array(information)))
    tree = linkage(squareform(distance), "average")
    labels = AgglomerativeClustering(4, metric="precomputed", linkage="average").fit_predict(distance)
    print("// Written by activations_reference.py with NumPy, SciPy and scikit-learn. Pairs (0, 1), (0, 2), ..., (10, 11).")
    print("#pragma once\n\nnamespace miq_test {\n\n// clang-format off")
    show("activations_correlation", information)
    show("activations_rank", gaussian(ndtri(rankdata(x, axis=0) / (len(x) + 1))))
    show("activations_equal_width_16", by_codes([by_width(x[:, c], 16)[0] for c in range(CHANNELS)]))
    show("activations_equal_frequency_8", by_codes([by_frequency(x[:, c], 8)[0] for c in range(CHANNELS)]))
    print("// Channels 0 to 5, whose values are all different; scikit-learn sets negative estimates to 0.")
    show("activations_knn_3", [_compute_mi_cc(standard[:, i], standard[:, j], 3) for i, j in pairs if j < 6])
    print("// Of the distances exp(-information) of the correlation estimator.")
    show("activations_average_heights", tree[:, 2])
    show("activations_labels_4", labels, "int")
    show("activations_silhouette_4", [silhouette_score(distance, labels, metric="precomputed")])
    print("// clang-format on\n\n}  // namespace miq_test")


main()
