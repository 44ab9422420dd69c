"""Checks what no linter here does: how long files and functions are, and what modules are called.

Exit code 1 and a line for each fault, else 0 and one line.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
# Names that say nothing, and so collect everything.
VAGUE_NAMES = frozenset({"common", "helper", "helpers", "manager", "misc", "util", "utils"})
FOLDERS = ("schemas", "processors", "mailtumble", "tests", "benchmarks", "tools")


def faults_of(path: Path, source: str) -> Iterator[str]:
    """Give each fault of a Python file as ``path:line: words``."""
    if path.stem in VAGUE_NAMES:
        yield f"{path}:1: name the module after what it knows, not '{path.stem}'"
    lines = len(source.splitlines())
    if lines > FILE_LINES_MAX:
        yield f"{path}:1: {lines} lines, more than {FILE_LINES_MAX}"
    for node in ast.walk(ast.parse(source, filename=str(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield (
                    f"{path}:{node.lineno}: {node.name} has {length} lines, "
                    f"more than {FUNCTION_LINES_MAX}"
                )


def main() -> int:
    """Check every Python file of the project; the current folder is its root."""
    paths = [path for folder in FOLDERS for path in sorted(Path(folder).rglob("*.py"))]
    faults = [
        fault for path in paths for fault in faults_of(path, path.read_text(encoding="utf-8"))
    ]
    for fault in faults:
        print(fault)
    if not faults:
        print(f"{len(paths)} files are tidy")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
