#!/usr/bin/env python3
"""Checks the Markdown files of the repository: relative links, their anchors, and paths that are named in backticks.

Prints what is broken and exits with 1 if anything is. No dependencies."""
import pathlib
import posixpath
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parent.parent
listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True)
if listed.returncode == 0 and listed.stdout:
    tracked = {path for path in listed.stdout.split("\n") if path}
else:  # an exported tree
    tracked = {path.relative_to(root).as_posix() for path in root.rglob("*")
               if path.is_file() and path.relative_to(root).parts[0] not in (".git", "build", "report")}
folders = {str(parent) for path in tracked for parent in pathlib.PurePosixPath(path).parents}
top = {path.split("/")[0] for path in tracked if "/" in path}


def without_code(text):
    """Lines of fenced code become empty, so that line numbers stay."""
    fenced, lines = False, []
    for line in text.split("\n"):
        if line.lstrip().startswith("```"):
            fenced = not fenced
            line = ""
        lines.append("" if fenced else line)
    return lines


def anchors(path):
    """The anchors that GitHub gives a file's headings."""
    found = set()
    for line in without_code((root / path).read_text(encoding="utf-8")):
        heading = re.match(r"#+ +(.*)", line)
        if heading:
            text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
            found.add(re.sub(r"[^\w\- ]", "", text).replace(" ", "-"))
    return found


def exists(path):
    """Whether a path, which may hold `*` or `<name>`, is that of a tracked file or folder."""
    if "<" in path or "*" in path or "{" in path or "NAME" in path:
        return True
    return path.rstrip("/") in tracked or path.rstrip("/") in folders


broken = []
for name in sorted(path for path in tracked if path.endswith(".md")):
    here = pathlib.PurePosixPath(name).parent
    for number, line in enumerate(without_code((root / name).read_text(encoding="utf-8")), 1):
        for target in re.findall(r"\]\(([^)\s]+)\)", line):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            full = posixpath.normpath(str(here / path)) if path else name
            if path and full not in tracked and full not in folders:
                broken.append(f"{name}:{number}: no file {target}")
            elif anchor and full.endswith(".md") and anchor not in anchors(full):
                broken.append(f"{name}:{number}: no heading for {target}")
        for path in re.findall(r"`([\w./<>*{},-]+/[\w./<>*{},-]*)`", line):
            if path.split("/")[0] in top and not exists(path):
                broken.append(f"{name}:{number}: no file {path}")
            if path.startswith("miq/") and path.endswith((".hpp", ".cuh")) and "<" not in path and "*" not in path:
                rest = path[len("miq/"):]
                if not exists("include/miq/" + rest) and not exists("kernels/" + rest) and rest != "core/version.hpp":
                    broken.append(f"{name}:{number}: no header {path}")
if broken:
    print("\n".join(broken))
sys.exit(1 if broken else 0)
