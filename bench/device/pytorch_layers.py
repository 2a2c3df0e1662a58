#!/usr/bin/env python3
"""SparseGPT in PyTorch on the device, beside what bench_device has measured there: milliseconds of factor and sweep.

The peer is ../pytorch_sparsegpt.py, in the layout that is published and on a transposed copy. Layers are random, of the
shapes of bench_device's `factor_and_sweep`; 50 % and 4 bits, as there.
"""
import argparse
import json
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import pytorch_sparsegpt  # says so and stops if torch is missing
import torch


def milliseconds(work, device, repetitions):
    """Median, after one run to warm up; the device's caches are as the run before has left them."""
    def finish():
        if torch.device(device).type == "cuda":
            torch.cuda.synchronize()

    samples = []
    for repetition in range(repetitions + 1):
        finish()
        begin = time.perf_counter()
        work()
        finish()
        if repetition > 0:
            samples.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(samples)


def measured(path):
    """Of `factor_and_sweep`: (rows, columns) -> milliseconds."""
    runs = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))["benchmarks"]
    found = {}
    for run in runs:
        name, *arguments = run["name"].split("/")
        if name == "factor_and_sweep" and not run.get("error_occurred"):
            shape = dict(argument.split(":") for argument in arguments if ":" in argument)
            assert run["time_unit"] == "ms"
            found[int(shape["rows"]), int(shape["columns"])] = run["real_time"]
    if not found:
        sys.exit(f"{path}: no benchmark factor_and_sweep")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("benchmarks", help="what bench_device wrote with --benchmark_out")
    parser.add_argument("--device", default="cuda", help="of PyTorch (default: %(default)s)")
    parser.add_argument("--repetitions", type=int, default=3, help="timed runs of each (default: %(default)s)")
    options = parser.parse_args()
    ours = measured(options.benchmarks)
    # In full float accuracy, as miq.
    torch.backends.cuda.matmul.allow_tf32 = False
    print(f"PyTorch {torch.__version__}, {options.device}: factor and sweep, 50 % and 4 bits, ms")
    print(f"{'rows x columns':>16} {'published':>10} {'transposed':>10} {'miq':>10} {'published/miq':>14}")
    generator = torch.Generator(device=options.device).manual_seed(1)
    for (rows, columns), miq in sorted(ours.items()):
        weights = 0.02 * torch.randn(rows, columns, generator=generator, device=options.device)
        place = torch.arange(columns, device=options.device, dtype=torch.float32)
        hessian = 1 / (1 + (place[:, None] - place[None, :]).abs()) + torch.eye(columns, device=options.device)

        def solve(transposed):
            with torch.no_grad():
                pytorch_sparsegpt.compress_matrix(weights, hessian, 0.5, 4, transposed=transposed)

        published, transposed = (milliseconds(lambda t=t: solve(t), options.device, options.repetitions)
                                 for t in (False, True))
        print(f"{f'{rows} x {columns}':>16} {published:10.1f} {transposed:10.1f} {miq:10.2f} {published / miq:14.1f}",
              flush=True)


if __name__ == "__main__":
    main()
