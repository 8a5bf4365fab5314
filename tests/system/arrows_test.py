#!/usr/bin/env python3
"""Includes follow the arrows: from a library to those that its CMakeLists.txt links, and in app/ from a folder to those
before it. Folders stay small enough to be looked through.
usage: arrows_test.py ROOT"""
import pathlib
import re
import sys

# From below to above; main.cpp and commands.h stand over all of them.
APP = ["cli", "world", "model", "draw", "score", "training", "lm", "data", "inspect", "report", "http", "serve", "bench"]
MOST_APP_ARROWS = 3 * len(APP)
MOST_UNITS = 20  # of a folder: a .h and its .cpp are one

root = pathlib.Path(sys.argv[1])
problems = []


def library_of(path):
    """The folder of the library that a file belongs to: the innermost one that makes a library."""
    parts = path.parts[:-1]
    while parts and "/".join(parts) not in folders:
        parts = parts[:-1]
    return "/".join(parts)


# What each library links, itself and all that those link.
folders, links = {}, {}
for cmake in sorted(root.glob("*/CMakeLists.txt")) + sorted(root.glob("*/*/CMakeLists.txt")):
    folder = str(cmake.parent.relative_to(root))
    if folder.split("/")[0] in ("tests", "build"):
        continue
    text = cmake.read_text()
    for name in re.findall(r"uvic_library\((\w+)", text):
        folders[folder] = name
        uses = " ".join(re.findall(rf"target_link_libraries\({name}\s([^)]*)\)", text))
        links[name] = set(re.findall(r"\buvic_\w+", uses))


def reach(name):
    return {name}.union(*(reach(below) for below in links.get(name, ())))


files = [f.relative_to(root) for folder in {f.split("/")[0] for f in folders} for e in ("h", "cpp", "cu")
         for f in (root / folder).rglob(f"*.{e}")]
arrows, units = set(), {}
for path in sorted(files):
    library = library_of(path)
    units.setdefault(path.parent, set()).add(path.stem)
    for name in re.findall(r'^#include "([^"]+)"', (root / path).read_text(), re.M):
        target = pathlib.Path(name)
        if not (root / target).exists():
            continue
        if folders[library_of(target)] not in reach(folders[library]):
            problems.append(f"{path} includes {name}: {library} does not link {library_of(target)}")
        if path.parts[0] == target.parts[0] == "app" and len(path.parts) == len(target.parts) == 3:
            here, there = path.parts[1], target.parts[1]
            if here == there:
                continue
            arrows.add((here, there))
            if APP.index(there) > APP.index(here):
                problems.append(f"{path} includes {name}: {there} stands above {here}")

if len(arrows) > MOST_APP_ARROWS:
    problems.append(f"{len(arrows)} arrows among the folders of app/, at most {MOST_APP_ARROWS}: {sorted(arrows)}")
for folder, names in units.items():
    if folder.parts[0] in ("app", "core") and len(names) > MOST_UNITS:
        problems.append(f"{folder} holds {len(names)} units, at most {MOST_UNITS}")
print(f"{len(files)} files, {len(folders)} libraries, {len(arrows)} arrows among the folders of app/")
print("\n".join(problems))
sys.exit(bool(problems))
