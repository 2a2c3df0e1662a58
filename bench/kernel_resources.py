#!/usr/bin/env python3
"""What ptxas says of every kernel: registers, stack, spills; and how long each translation unit takes to compile.

usage: bench/kernel_resources.py [--architecture 90]

Compiles what is in kernels/precompiled, one unit after the other, and prints Markdown tables. Dynamic shared memory
depends on the arguments; the host's tests look at it.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def compile_unit(source, architecture, include):
    """Seconds, and what the compiler said. Units of the host's part are plain C++."""
    if source.suffix == ".cu":
        compiler = ["nvcc", f"-arch=sm_{architecture}", "-Xptxas=-v"]
    else:
        toolkit = pathlib.Path(shutil.which("nvcc")).resolve().parent.parent
        compiler = [os.environ.get("CXX", "c++"), "-isystem", f"{toolkit}/include"]
    command = compiler + ["-std=c++20", "-O3", "-DNDEBUG", "-DMIQ_CUDA_PRECOMPILED", "-DEIGEN_NO_CUDA", f"-I{ROOT}/include",
                          f"-I{include}", "-isystem", "/usr/include/eigen3", "-c", str(source), "-o", "/dev/null"]
    began = time.monotonic()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.monotonic() - began, done.stdout + done.stderr


def short_name(mangled):
    name = subprocess.run(["c++filt", mangled], check=True, capture_output=True, text=True).stdout.strip()
    body = re.search(r"run_blocks<(.*)>\(", name)
    if body is None:
        return name
    return re.sub(r"\bmiq::|\bdetail::|\bdevice::|cuda_v_\w+::|\(anonymous namespace\)::", "", body.group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="90")
    options = parser.parse_args()
    kernels, units = {}, []
    with tempfile.TemporaryDirectory() as include:
        (pathlib.Path(include) / "miq").symlink_to(ROOT / "kernels")
        for source in sorted(s for s in (ROOT / "kernels/precompiled").iterdir() if s.suffix in (".cu", ".cpp")):
            seconds, text = compile_unit(source, options.architecture, include)
            units.append((source.name, seconds))
            for part in text.split("Function properties for ")[1:]:
                mangled = part.split()[0]
                stack, stores, loads = map(int, re.search(
                    r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", part).groups())
                registers = re.search(r"Used (\d+) registers", part)
                if registers is not None:  # else a function that kernels call
                    kernels[short_name(mangled)] = (int(registers.group(1)), stack, stores + loads)
    print("| kernel | registers | stack, bytes | spills, bytes |\n|---|---:|---:|---:|")
    for name in sorted(kernels):
        print("| `%s` | %d | %d | %d |" % (name, *kernels[name]))
    print("\n| translation unit | seconds |\n|---|---:|")
    for name, seconds in units:
        print(f"| `{name}` | {seconds:.0f} |")


if __name__ == "__main__":
    main()
