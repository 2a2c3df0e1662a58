#!/usr/bin/env python3
"""Prints the SciPy values that rank_correlation_test.cpp compares with: its channels' normal scores and information.

Needs numpy and scipy; the channels are those of histogram_reference.py.
"""
import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from histogram_reference import channels

x = channels()
z = ndtri(rankdata(x, axis=0) / (len(x) + 1))
rho = np.corrcoef(z.T)
print("quantiles", [f"{ndtri(p):.15g}" for p in (1e-12, 1e-6, 0.001, 0.02425, 0.25, 0.4999)])
print("information", [f"{-0.5 * np.log1p(-rho[i, j] ** 2):.12g}" for i in range(5) for j in range(i + 1, 5)])
