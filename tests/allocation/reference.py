#!/usr/bin/env python3
"""Prints the squared errors of the best uniform quantizers of a standard normal variable, for 1 to 8 bits, that
expected_error/host.inl holds: levels (k - (n - 1) / 2) * step, k = 0 ... n - 1, n = 2^bits, the step found by minimisation
(Max 1960, "Quantizing for minimum distortion", table II). Needs SciPy."""
import numpy as np
from scipy.optimize import minimize_scalar
from scipy.stats import norm


def squared_error(step, n):
    levels = (np.arange(n) - (n - 1) / 2) * step
    edges = np.concatenate([[-np.inf], (levels[1:] + levels[:-1]) / 2, [np.inf]])
    low, high = edges[:-1], edges[1:]
    share = norm.cdf(high) - norm.cdf(low)
    first = norm.pdf(low) - norm.pdf(high)
    end = lambda x: np.where(np.isinf(x), 0, np.where(np.isinf(x), 0, x) * norm.pdf(x))
    second = share + end(low) - end(high)
    return (second - 2 * levels * first + levels**2 * share).sum()


for bits in range(1, 9):
    n = 2**bits
    best = minimize_scalar(lambda s: squared_error(s, n), bounds=(0.5 / n, 12 / n**0.8), method="bounded",
                           options={"xatol": 1e-12})
    print(bits, best.x, float(best.fun))
