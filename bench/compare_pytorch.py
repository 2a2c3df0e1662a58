#!/usr/bin/env python3
"""Times miq beside PyTorch, in turns, on the same cores, and prints the ratios.

1. One layer: factor and joint sweep, for several shapes. miq's side is its Google Benchmark program
   (`factor_and_sweep/rows:R/columns:C`); the floor is one PyTorch matrix product of as many operations,
   2/3 n^3 + rows n^2.
2. One model (with --model and --calibration): `compress_opt --methods sparsegpt` without evaluation, whose report.json
   gives seconds per phase.

PyTorch's side is pytorch_sparsegpt.py, twice: `published` in the layout and order of the public implementation; `tuned`
with everything a careful user can still gain without leaving PyTorch (transposed copy; eight windows at a time; one Gram
matrix and factor for q, k and v). Both programs are confined to the same cores; medians of several repetitions, after a
warm-up. Nothing else should run on the machine.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
PEERS = {
    "published": dict(transposed=False, share_inputs=False, batch=1),
    "tuned": dict(transposed=True, share_inputs=True, batch=8),
}


def fail(message):
    sys.exit(f"compare_pytorch.py: {message}")


def shape(text):
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match or 0 in map(int, match.groups()):
        raise argparse.ArgumentTypeError(f"expected ROWSxCOLUMNS, got {text}")
    return tuple(map(int, match.groups()))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="threads and cores of both sides (default: %(default)s)")
    parser.add_argument("--repetitions", type=int, default=5, help="timed runs of each (default: %(default)s)")
    parser.add_argument("--peers", default="published,tuned", help="which PyTorch variants (default: %(default)s)")
    parser.add_argument("--sparsity", type=float, default=0.5, help="(default: %(default)s)")
    parser.add_argument("--wbits", type=int, default=4, help="(default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write all figures to FILE")
    layer = parser.add_argument_group("one layer")
    layer.add_argument("--bench", default="build/release/bench/obs/bench_obs", metavar="PROGRAM",
                       help="miq's benchmark program; it is told the threads by MIQ_BENCH_THREADS (default: %(default)s)")
    layer.add_argument("--shapes", type=shape, nargs="*", metavar="ROWSxCOLUMNS",
                       default=[(768, 768), (3072, 768), (768, 3072), (4096, 4096)],
                       help="(default: 768x768 3072x768 768x3072 4096x4096; none: leave this part out)")
    model = parser.add_argument_group("one model")
    model.add_argument("--model", metavar="DIR", help="Hugging Face OPT directory; without it this part is left out")
    model.add_argument("--calibration", metavar="FILE", help="text to calibrate on")
    model.add_argument("--nsamples", type=int, default=64, help="calibration windows (default: %(default)s)")
    model.add_argument("--seqlen", type=int, help="tokens of a window (default: the model's context)")
    model.add_argument("--compress-opt", default="build/release/examples/compress_opt/compress_opt", metavar="PROGRAM",
                       help="(default: %(default)s)")
    model.add_argument("--compress-opt-arguments", default="", metavar="'...'", help="further arguments for it")
    options = parser.parse_args()
    options.peers = options.peers.split(",")
    for peer in options.peers:
        if peer not in PEERS:
            parser.error(f"--peers: expected {' or '.join(PEERS)}, got {peer}")
    if options.threads < 1 or options.repetitions < 1 or options.nsamples < 1:
        parser.error("--threads, --repetitions and --nsamples must be at least 1")
    if not 0 < options.sparsity < 1 or not 1 <= options.wbits <= 8:
        parser.error("--sparsity must be between 0 and 1, --wbits 1 to 8")
    if options.shapes and (options.sparsity, options.wbits) != (0.5, 4):
        parser.error("the layer benchmark is of sparsity 0.5 and 4 bits; with others, leave it out by an empty --shapes")
    if (options.model is None) != (options.calibration is None):
        parser.error("--model and --calibration belong together")
    if not options.shapes and not options.model:
        parser.error("nothing to compare: no --shapes and no --model")
    return options


def program(path, option):
    if not os.access(path, os.X_OK) or not pathlib.Path(path).is_file():
        fail(f"{option}: there is no program {path}; build it (cmake --preset release && cmake --build build/release)")
    return str(pathlib.Path(path).resolve())


def run(command, environment=None):
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        fail(f"{shlex.join(map(str, command))} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def confine(threads):
    """This process and its children on `threads` cores. Returns the cores, or None where that cannot be asked for."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < threads:
        fail(f"--threads: {threads} threads, but only {len(cores)} cores")
    os.sched_setaffinity(0, cores[:threads])
    return cores[:threads]


def seconds_of(call):
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def table(head, rows):
    cells = [head] + [[cell if isinstance(cell, str) else f"{cell:.4g}" for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    for index, row in enumerate(cells):
        print("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                        for i, (cell, width) in enumerate(zip(row, widths))))
        if index == 0:
            print("  ".join("-" * width for width in widths))
    print(flush=True)


def benchmark_seconds(bench, rows, columns, environment):
    """Wall seconds of one run of miq's benchmark of this shape."""
    name = f"factor_and_sweep/rows:{rows}/columns:{columns}"
    out = run([bench, f"--benchmark_filter=^{name}(/|$)", "--benchmark_format=json"], environment)
    try:
        found = [entry for entry in json.loads(out)["benchmarks"] if entry.get("run_type", "iteration") == "iteration"]
        if any(entry.get("error_occurred") for entry in found):
            fail(f"{bench}: {name}: {found[0].get('error_message')}")
        times = [entry["real_time"] * SECONDS[entry["time_unit"]] for entry in found]
    except (ValueError, KeyError) as error:
        fail(f"{bench}: what it printed is not Google Benchmark's JSON ({error!r})")
    if not times:
        fail(f"{bench}: it has no benchmark named {name}")
    return statistics.median(times)


def compare_layers(options, torch, peer_module):
    bench = program(options.bench, "--bench")
    environment = dict(os.environ, MIQ_BENCH_THREADS=str(options.threads))
    results = []
    for rows, columns in options.shapes:
        generator = torch.Generator().manual_seed(rows * 10007 + columns)
        weights = torch.randn(rows, columns, generator=generator)
        inputs = torch.randn(columns + columns // 4 + 1, columns, generator=generator)
        hessian = inputs.T @ inputs * (2 / len(inputs))
        del inputs
        # One product [m, n] [n, n] with 2 m n^2 = 2/3 n^3 + rows n^2.
        left = torch.randn(max(1, round(columns / 3 + rows / 2)), columns, generator=generator)
        right = torch.randn(columns, columns, generator=generator)

        def solve(peer):
            peer_module.compress_matrix(weights, hessian, options.sparsity, options.wbits,
                                        transposed=PEERS[peer]["transposed"])

        timed = {"floor": lambda: torch.matmul(left, right), **{peer: lambda p=peer: solve(p) for peer in options.peers}}
        samples = {name: [] for name in [*timed, "miq"]}
        with torch.no_grad():
            for call in timed.values():
                call()
            for _ in range(options.repetitions):
                for name, call in timed.items():
                    samples[name].append(seconds_of(call))
                samples["miq"].append(benchmark_seconds(bench, rows, columns, environment))
        median = {name: statistics.median(values) for name, values in samples.items()}
        results.append(dict(rows=rows, columns=columns, seconds=samples, median=median,
                            ratio={peer: median[peer] / median["miq"] for peer in options.peers},
                            miq_over_floor=median["miq"] / median["floor"]))
        print(f"{rows}x{columns} done", file=sys.stderr)
    print(f"Factor and joint sweep, {options.sparsity:.0%} and {options.wbits} bits: seconds, medians of "
          f"{options.repetitions}\n")
    table(["rows x columns", *(f"PyTorch {peer}" for peer in options.peers), "miq",
           *(f"{peer} / miq" for peer in options.peers), "floor", "miq / floor"],
          [[f"{r['rows']} x {r['columns']}", *(r["median"][peer] for peer in options.peers), r["median"]["miq"],
            *(r["ratio"][peer] for peer in options.peers), r["median"]["floor"], r["miq_over_floor"]]
           for r in results])
    return results


def run_compress_opt(options, command):
    """Seconds of miq's run: per phase, of the method as a whole, and of the process."""
    with tempfile.TemporaryDirectory(prefix="miq-compare-") as folder:
        wall = seconds_of(lambda: run([*command, "--report", folder]))
        path = pathlib.Path(folder) / "report.json"
        try:
            methods = json.loads(path.read_text(encoding="utf-8"))["methods"]
            method = next(entry for entry in methods if entry["name"] == "sparsegpt")
            phases = {name: float(value) for name, value in method["phases"].items()}
            return {**{name: phases[name] for name in ("forward", "gram", "solve")},
                    "other phases": sum(v for k, v in phases.items() if k not in ("forward", "gram", "solve")),
                    "whole": float(method["seconds"]), "process": wall}
        except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
            fail(f"{options.compress_opt}: no method sparsegpt with seconds and phases forward, gram and solve in "
                 f"report.json ({error!r})")


def compare_models(options, torch, peer_module):
    seqlen = options.seqlen or json.loads((pathlib.Path(options.model) / "config.json").read_text())[
        "max_position_embeddings"]
    command = [program(options.compress_opt, "--compress-opt"), options.model, "--methods", "sparsegpt",
               "--calibration", options.calibration, "--nsamples", options.nsamples, "--seqlen", seqlen,
               "--sparsity", options.sparsity, "--wbits", options.wbits, "--threads", options.threads, "--no_eval"]
    command = [str(part) for part in command] + shlex.split(options.compress_opt_arguments)
    windows = peer_module.calibration_windows(options.model, options.calibration, options.nsamples, seqlen)

    def compress(peer, some):
        model = peer_module.load_opt(options.model)
        outcome = peer_module.compress_opt_model(model, some, options.sparsity, options.wbits, **PEERS[peer])
        return {**outcome["phases"], "whole": outcome["seconds"]}

    samples = {name: [] for name in [*options.peers, "miq"]}
    for peer in options.peers:
        compress(peer, windows[:2])
    for repetition in range(options.repetitions):
        for peer in options.peers:
            samples[peer].append(compress(peer, windows))
        samples["miq"].append(run_compress_opt(options, command))
        print(f"model: repetition {repetition + 1} of {options.repetitions} done", file=sys.stderr)
    median = {name: {phase: statistics.median(run[phase] for run in runs) for phase in runs[0]}
              for name, runs in samples.items()}
    phases = ["forward", "gram", "solve", "whole"]
    ratio = {peer: {phase: median[peer][phase] / median["miq"][phase] if median["miq"][phase] > 0 else float("inf")
                    for phase in phases} for peer in options.peers}
    print(f"{options.model}: sparsegpt, {options.sparsity:.0%} and {options.wbits} bits, {options.nsamples} windows of "
          f"{seqlen}: seconds, medians of {options.repetitions}\n")
    table(["", *phases],
          [*([f"PyTorch {peer}", *(median[peer][phase] for phase in phases)] for peer in options.peers),
           ["miq", *(median["miq"][phase] for phase in phases)],
           *([f"{peer} / miq", *(ratio[peer][phase] for phase in phases)] for peer in options.peers)])
    print("whole: PyTorch from the loaded model and token windows to the compressed model; miq the seconds of its "
          f"report. The process of compress_opt took {median['miq']['process']:.3g} s.\n")
    return dict(model=options.model, seqlen=seqlen, nsamples=options.nsamples, command=command, seconds=samples,
                median=median, ratio=ratio)


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main():
    options = arguments()
    for path, option in ((options.model, "--model"), (options.calibration, "--calibration")):
        if path is not None and not os.path.exists(path):
            fail(f"{option}: {path} does not exist")
    if options.shapes:
        program(options.bench, "--bench")
    if options.model:
        program(options.compress_opt, "--compress-opt")
    cores = confine(options.threads)
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
    import pytorch_sparsegpt  # says so and stops if torch is missing
    import torch

    torch.set_num_threads(options.threads)
    machine = dict(processor=processor(), cores=cores, threads=options.threads, torch=torch.__version__,
                   load_before=os.getloadavg()[0])
    print(f"{machine['processor']}; {options.threads} threads on cores {cores}; PyTorch {torch.__version__}; "
          f"load {machine['load_before']:.1f} before the start\n", flush=True)
    result = dict(machine=machine, sparsity=options.sparsity, bits=options.wbits, repetitions=options.repetitions)
    if options.shapes:
        result["layers"] = compare_layers(options, torch, pytorch_sparsegpt)
    if options.model:
        result["model"] = compare_models(options, torch, pytorch_sparsegpt)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
