#!/usr/bin/env python3
"""Prints the scikit-learn values that normalisation_test.cpp compares with."""
from sklearn.metrics import mutual_info_score, normalized_mutual_info_score

n = 120
labels = [[t % 2 for t in range(n)],
          [(t * t + t // 7) % 3 for t in range(n)],
          [(t % 2) * 2 + (t // 11) % 2 for t in range(n)],
          [0] * n]
print("entropies", [mutual_info_score(a, a) for a in labels])
pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
print("information", {p: mutual_info_score(labels[p[0]], labels[p[1]]) for p in pairs})
for method in ("arithmetic", "geometric", "min", "max"):
    print(method, {p: normalized_mutual_info_score(labels[p[0]], labels[p[1]], average_method=method)
                   for p in pairs})
