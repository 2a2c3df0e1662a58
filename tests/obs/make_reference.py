#!/usr/bin/env python3
"""Writes torch_sweep.txt: what the published joint sweep gives for a small layer, in PyTorch float64.

Usage: make_reference.py > torch_sweep.txt        (needs PyTorch; run only to make the file anew)

The layer is exact in any float format: weights are integers / 4096, and H = 2/n X^T X of n = 128 tokens of integers.
Seeds are tried until no decision of any case lies near its boundary, so that float and double must decide alike.
The sweep follows Frantar and Alistarh 2023, algorithm 1, written from the paper; the mask of a block of columns takes
exactly floor(sparsity * size) weights.
"""
import torch

ROWS, COLUMNS, TOKENS, BLOCK, DAMPING = 24, 48, 128, 16, 0.01
CASES = [(0.5, 4), (0.5, 0), (0.7, 3), (0.0, 2)]  # sparsity, bits; 0 bits: prune only
MARGIN = 2e-4


def layer(seed):
    generator = torch.Generator().manual_seed(seed)
    w = torch.randint(-2000, 2101, (ROWS, COLUMNS), generator=generator)
    x = torch.randint(-3, 4, (TOKENS, COLUMNS), generator=generator)
    for c in range(1, COLUMNS):
        if c % 3 != 0:
            x[:, c] += x[:, c - 1]
    return w, x.T @ x


def sweep(w_integers, gram, sparsity, bits):
    """Weights, codes, mask, loss, and how near the nearest decision was to its boundary."""
    w = w_integers.double() / 4096
    loss, near = 0.0, 1.0
    h = gram.double() * 2 / TOKENS
    h += DAMPING * h.diagonal().mean() * torch.eye(COLUMNS, dtype=torch.float64)
    u = torch.linalg.cholesky(torch.linalg.inv(h), upper=True)
    if bits:
        low = torch.clamp(w.min(dim=1).values, max=0)
        high = torch.clamp(w.max(dim=1).values, min=0)
        scale = ((high - low) / (2 ** bits - 1)).float().double()
        position = -low / scale
        zero = torch.round(position)
        near = min(near, ((position - position.floor() - 0.5).abs() * 2).min().item())
    result = torch.zeros_like(w)
    codes = torch.zeros_like(w_integers)
    mask = torch.zeros(ROWS, COLUMNS, dtype=torch.bool)
    for first in range(0, COLUMNS, BLOCK):
        last = min(COLUMNS, first + BLOCK)
        saliency = (w[:, first:last] ** 2 / u.diagonal()[first:last] ** 2).flatten()
        order = torch.argsort(saliency, stable=True)
        count = int(sparsity * saliency.numel())
        if count:
            near = min(near, (saliency[order[count]] / saliency[order[count - 1]] - 1).item())
        block = torch.zeros_like(saliency, dtype=torch.bool)
        block[order[:count]] = True
        mask[:, first:last] = block.reshape(ROWS, last - first)
        for j in range(first, last):
            column = w[:, j].clone()
            if bits:
                position = column / scale
                distance = torch.where(mask[:, j], 1.0, (position - position.floor() - 0.5).abs() * 2)
                near = min(near, distance.min().item())
                codes[:, j] = torch.clamp(torch.round(position) + zero, 0, 2 ** bits - 1).long()
                column = scale * (codes[:, j] - zero)
            codes[mask[:, j], j] = 0
            column[mask[:, j]] = 0
            error = (w[:, j] - column) / u[j, j]
            loss += 0.5 * (error ** 2).sum().item()
            w[:, j:] -= error[:, None] * u[j, j:][None, :]
            result[:, j] = column
    return result, codes, mask, loss, near


def main():
    seed = 0
    while True:
        w, gram = layer(seed)
        results = [sweep(w, gram, sparsity, bits) for sparsity, bits in CASES]
        if min(r[4] for r in results) > MARGIN:
            break
        seed += 1
    print(f"# Made by make_reference.py, seed {seed}.")
    print(ROWS, COLUMNS, TOKENS, BLOCK, DAMPING, len(CASES))
    print("# weights * 4096")
    for row in w.tolist():
        print(*row)
    print("# X^T X")
    for row in gram.tolist():
        print(*row)
    for (sparsity, bits), (result, codes, mask, loss, _) in zip(CASES, results):
        print("# sparsity, bits, loss; then every weight: -1 where masked, else its code, or its value if not quantised")
        print(sparsity, bits, repr(loss))
        for r in range(ROWS):
            print(*["-1" if m else (str(c) if bits else f"{v:.9g}") for m, c, v in
                    zip(mask[r].tolist(), codes[r].tolist(), result[r].tolist())])


if __name__ == "__main__":
    main()
