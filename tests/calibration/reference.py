#!/usr/bin/env python3
"""Prints the NumPy values that accumulator_test.cpp compares with."""
import numpy as np

t, c = np.meshgrid(np.arange(100), np.arange(3), indexing="ij")
x = (t * t * (c + 3) + 5 * c) % 29 + 0.25 * ((t * (c + 1)) % 7)
print("mean         ", [float(v) for v in x.mean(axis=0)])
print("mean |x - 16|", [float(v) for v in np.abs(x - 16).mean(axis=0)])
print("covariance   ", np.cov(x, rowvar=False, bias=True).tolist())
