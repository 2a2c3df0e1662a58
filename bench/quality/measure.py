#!/usr/bin/env python3
"""Perplexities of methods and of their parts, at equal sparsity and equal stored bits.

Runs compress_opt over a grid of models, sparsities, widths, calibration seeds and variants of its options, keeps every
run in a file (one JSON object a line; what is there already is not run again), and writes tables from that file.

    measure.py run    --program build/release/examples/compress_opt/compress_opt --results results.jsonl \\
                      --model NAME=DIR,CALIBRATION,TEXT=FILE[,TEXT=FILE...] --plan main [--seeds 5]
    measure.py tables --results results.jsonl --plan main

Plans: `main` (all methods and controls, several seeds), `points` (further sparsities and widths), `ablation` (each part
of mi left out, and each alone), `rescaled` (a copy of a model with uneven channels). Closure is
ln(P_sparsegpt / P_method) / ln(P_sparsegpt / P_dense): 0 is SparseGPT's joint variant, 1 the dense model.
"""
import argparse
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

# mi with each of its parts taken out, and SparseGPT's solver with each put in alone.
PLAIN = ["--target_strength", "0", "--no_sequential", "--mask_method", "sweep", "--refit", "-1", "--grid", "asymmetric",
         "--scales", "float16", "--layout", "A", "--n_groups", "1"]
WITHOUT = {
    "mi": [],
    "without the target of the dense model": ["--target_strength", "0"],
    "without inputs in turn": ["--no_sequential"],
    "without both": ["--target_strength", "0", "--no_sequential"],
    "without the mask search": ["--mask_method", "sweep"],
    "without refit": ["--refit", "-1"],
    "without mask search and refit": ["--mask_method", "sweep", "--refit", "-1"],
    "without the mask search, one Gauss-Seidel pass": ["--mask_method", "sweep", "--refit", "0"],
    "with more refit": ["--refit", "10"],
    "with asymmetric grids": ["--grid", "asymmetric"],
    "with symmetric grids": ["--grid", "symmetric"],
    "with scales by channel (B)": ["--layout", "B"],
    "with scales by row and group (A)": ["--layout", "A", "--scales", "float16"],
    "with one width": ["--n_groups", "1"],
    "without division of groups": ["--no_split"],
    "with 16 groups": ["--n_groups", "16"],
    "with bias correction": ["--bias_correction"],
    "columns by descending diagonal": ["--order", "descending"],
    "columns by group": ["--order", "by_group"],
    "representatives last": ["--order", "representatives"],
    "masks by Wanda": ["--mask_method", "selection", "--saliency", "wanda"],
}
ALONE = {
    "mask first, clip search, no more": PLAIN,
    "only the target of the dense model": PLAIN + ["--target_strength", "1"],
    "only inputs in turn": [a for a in PLAIN if a != "--no_sequential"],
    "only the mask search": PLAIN + ["--mask_method", "search"],
    "only refit": PLAIN + ["--refit", "3"],
    "only grids without zero": PLAIN + ["--grid", "zero_free"],
    "only rank-one scales": PLAIN + ["--layout", "R", "--scales", "logarithmic8", "--grid", "zero_free"],
}
CONTROLS = {
    "mi, random groups": ["--grouping", "random"],
    "mi, contiguous groups": ["--grouping", "contiguous"],
    "mi, groups by the Hessian's diagonal": ["--grouping", "hessian"],
    "mi, groups by conditional variance": ["--grouping", "cost"],
    "mi, one width": ["--n_groups", "1"],
}


def key_of(run):
    return json.dumps([run["model"], run["label"], run["method"], run["sparsity"], run["bits"], run["seed"],
                       run["windows"], run["arguments"]])


def last_given(arguments):
    """Options may be repeated here, the last one counts; the program wants each once."""
    kept = {}
    i = 0
    while i < len(arguments):
        name = arguments[i]
        if i + 1 < len(arguments) and (not arguments[i + 1].startswith("--")):
            kept[name] = [arguments[i + 1]]
            i += 2
        else:
            kept[name] = []
            i += 1
    return [word for name, values in kept.items() for word in [name, *values]]


def planned(plan, model, seeds, windows):
    def run(label, method, sparsity, bits, seed, arguments=()):
        return dict(model=model, label=label, method=method, sparsity=sparsity, bits=bits, seed=seed, windows=windows,
                    arguments=last_given(list(arguments)))

    both = ((0.7, 4), (0.65, 3))
    if plan == "main":
        for seed in range(seeds):
            for sparsity, bits in both:
                yield run("sparsegpt", "sparsegpt", sparsity, bits, seed)
                yield run("sparsegpt, pruned only", "sparsegpt", sparsity, 16, seed)
                yield run("enhanced", "enhanced", sparsity, bits, seed)
                yield run("mi", "mi", sparsity, bits, seed)
                for label, arguments in CONTROLS.items():
                    yield run(label, "mi", sparsity, bits, seed, arguments)
        yield run("dense", "dense", 0.5, 4, 0)
    elif plan == "points":
        yield run("dense", "dense", 0.5, 4, 0)
        for sparsity, bits in ((0.5, 4), (0.5, 3), (0.5, 2), (0.3, 4), (0.3, 3), (0.3, 2), (0.7, 4), (0.65, 3)):
            for label, method, width in (("sparsegpt", "sparsegpt", bits), ("sparsegpt, pruned only", "sparsegpt", 16),
                                         ("enhanced", "enhanced", bits), ("mi", "mi", bits)):
                yield run(label, method, sparsity, width, 0)
        for label, method, width in (("sparsegpt", "sparsegpt", 4), ("sparsegpt, pruned only", "sparsegpt", 16),
                                     ("enhanced", "enhanced", 4), ("mi", "mi", 4)):
            yield run(label, method, "2:4", width, 0)
    elif plan == "ablation":
        yield run("dense", "dense", 0.5, 4, 0)
        yield run("sparsegpt", "sparsegpt", 0.7, 4, 0)
        for label, arguments in {**WITHOUT, **ALONE}.items():
            yield run(label, "mi", 0.7, 4, 0, arguments)
    elif plan == "rescaled":
        yield run("dense", "dense", 0.5, 4, 0)
        for sparsity, bits in both:
            for method in ("sparsegpt", "enhanced", "mi"):
                yield run(method, method, sparsity, bits, 0)
    else:
        sys.exit(f"no plan {plan}")


def read(results):
    path = pathlib.Path(results)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def measure(arguments):
    name, _, rest = arguments.model.partition("=")
    directory, calibration, *texts = rest.split(",")
    done = {key_of(run) for run in read(arguments.results)}
    for run in planned(arguments.plan, name, arguments.seeds, arguments.windows):
        if key_of(run) in done:
            continue
        with tempfile.TemporaryDirectory() as folder:
            command = [arguments.program, directory, "--methods", run["method"], "--report", folder + "/report",
                       "--eval_windows", str(run["windows"])]
            if run["method"] in ("mi",):
                command += ["--pictures", "0"]
            if run["method"] != "dense":
                command += ["--calibration", calibration, "--wbits", str(run["bits"])]
                command += (["--pattern", run["sparsity"]] if isinstance(run["sparsity"], str) else
                            ["--sparsity", str(run["sparsity"])])
                # Seed 0 is the even spread of windows; the others draw them.
                command += ["--seed", str(run["seed"])] + (["--random_windows"] if run["seed"] else [])
            command += run["arguments"]
            for text in texts:
                command += ["--eval", text]
            begin = time.time()
            finished = subprocess.run(command, capture_output=True, text=True)
            if finished.returncode != 0:
                print(f"{run['label']}: {finished.stderr.strip().splitlines()[-1]}", file=sys.stderr, flush=True)
                run["error"] = finished.stderr.strip().splitlines()[-1]
                continue
            report = json.loads((pathlib.Path(folder) / "report" / "report.json").read_text())
            result = report["methods"][0]
            run["perplexity"] = result["perplexity"]
            run["bits_per_weight_stored"] = result["bits_per_weight_stored"]
            run["seconds"] = result["seconds"]
            weights = [m["rows"] * m["columns"] for m in result["layers"]]
            for field in ("headroom_bits", "realised_bits"):
                if weights:
                    run[field] = sum(m[field] * w for m, w in zip(result["layers"], weights)) / sum(weights)
        with open(arguments.results, "a") as file:
            file.write(json.dumps(run) + "\n")
        print(f"{name} {run['sparsity']} {run['bits']} bits, seed {run['seed']}, {run['label']}: " +
              ", ".join(f"{k} {v:.2f}" for k, v in run["perplexity"].items()) +
              f", {run['bits_per_weight_stored']:.3f} bits a weight, {time.time() - begin:.0f} s", flush=True)


def closure(plain, method, dense):
    return math.log(plain / method) / math.log(plain / dense)


def mean_and_spread(values):
    """Mean and standard deviation."""
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}" if len(values) > 1 else f"{values[0]:.2f}"


def tables(arguments):
    runs = [run for run in read(arguments.results) if "perplexity" in run]
    if arguments.plan:  # the runs of that plan, and no others
        wanted = {key_of(run) for model, windows in {(r["model"], r["windows"]) for r in runs}
                  for run in planned(arguments.plan, model, arguments.seeds, windows)}
        runs = [run for run in runs if key_of(run) in wanted or run["method"] == "dense"]
    dense = {(r["model"], r["windows"]): r["perplexity"] for r in runs if r["method"] == "dense"}
    for model, windows in sorted({(r["model"], r["windows"]) for r in runs if r["method"] != "dense"}):
        mine = [r for r in runs if (r["model"], r["windows"]) == (model, windows)]
        texts = list(mine[0]["perplexity"])
        for sparsity in sorted({str(r["sparsity"]) for r in mine if r["method"] != "dense"}):
            for bits in sorted({r["bits"] for r in mine if r["method"] != "dense" and r["bits"] != 16}):
                here = [r for r in mine if str(r["sparsity"]) == sparsity and r["method"] != "dense" and
                        r["bits"] in (bits, 16)]
                plain = {r["seed"]: r for r in here if r["label"] == "sparsegpt" and r["bits"] == bits}
                if not plain:
                    continue
                reference = dense.get((model, windows))
                print(f"\n### {model}, sparsity {sparsity}, {bits} bits, {windows} windows of each text; dense: " +
                      (", ".join(f"{t} {reference[t]:.2f}" for t in texts) if reference else "not run") + "\n")
                print("| method | seeds | " + " | ".join(f"{t} | closure" for t in texts) + " | bits per weight stored |")
                print("|---|---|" + "---|---|" * len(texts) + "---|")
                labels = list(dict.fromkeys(r["label"] for r in here))
                closures = {}
                for label in labels:
                    same = {r["seed"]: r for r in here if r["label"] == label}
                    seeds = [s for s in same if s in plain]
                    cells = []
                    for text in texts:
                        cells.append(f"{statistics.mean(same[s]['perplexity'][text] for s in seeds):.2f}")
                        closures[label, text] = {s: closure(plain[s]["perplexity"][text], same[s]["perplexity"][text],
                                                            reference[text]) for s in seeds} if reference else {}
                        cells.append(mean_and_spread(list(closures[label, text].values())) if reference else "")
                    bits_stored = statistics.mean(same[s]["bits_per_weight_stored"] for s in seeds)
                    print(f"| {label} | {len(seeds)} | " + " | ".join(cells) + f" | {bits_stored:.3f} |")
                controls = [label for label in labels if label.startswith("mi, ")]
                if not controls or not reference:
                    continue
                print("\nClosure of mi less that of the control, seed by seed:\n")
                print("| control | " + " | ".join(texts) + " |")
                print("|---|" + "---|" * len(texts))
                for label in controls:
                    print(f"| {label} | " + " | ".join(
                        mean_and_spread([value - closures[label, text][s]
                                         for s, value in closures["mi", text].items() if s in closures[label, text]])
                        for text in texts) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run")
    run.add_argument("--program", required=True)
    run.add_argument("--results", required=True)
    run.add_argument("--model", required=True)
    run.add_argument("--plan", required=True)
    run.add_argument("--seeds", type=int, default=5)
    run.add_argument("--windows", type=int, default=64)
    run.set_defaults(function=measure)
    table = commands.add_parser("tables")
    table.add_argument("--results", required=True)
    table.add_argument("--plan", help="only the runs of this plan")
    table.add_argument("--seeds", type=int, default=5)
    table.set_defaults(function=tables)
    arguments = parser.parse_args()
    arguments.function(arguments)


if __name__ == "__main__":
    main()
