#!/usr/bin/env python3
"""Writes torch_grids.hpp: scales and zero points of the published min/max formula, in PyTorch float32.

Usage: make_reference.py > torch_grids.hpp        (needs PyTorch; run only to make the file anew)
"""
import torch

RANGES = [(-1.0, 1.0), (-0.3, 0.7), (0.0, 5.0), (-2.0, 0.0), (0.25, 0.5), (-0.125, -0.0625), (-1e-3, 3e-3),
          (-7.3, 0.1), (-0.0171, 0.0213), (-123.4, 567.8)]

print("// Made by make_reference.py.")
print("#pragma once")
print("struct torch_grid {\n  float low;\n  float high;\n  int bits;\n  float scale;\n  float zero;\n};")
print("inline constexpr torch_grid torch_grids[] = {")
for low, high in RANGES:
    for bits in (1, 2, 3, 4, 8):
        x = torch.tensor([low, high], dtype=torch.float32)
        smallest = torch.minimum(x.min(), torch.zeros(()))
        largest = torch.maximum(x.max(), torch.zeros(()))
        scale = (largest - smallest) / (2 ** bits - 1)
        zero = torch.round(-smallest / scale)
        print("{%s, %s, %d, %sF, %sF}," % (x[0].item().hex() + "F", x[1].item().hex() + "F", bits,
                                           scale.item().hex(), zero.item().hex()))
print("};")
