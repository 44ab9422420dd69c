"""Negate every condition of the code that keeps mail from being lost or sent twice, one at a time.

A condition is the test of an if, a while or a conditional expression, the guard of a case, an
operand of and/or, a comparison, or the filter of a comprehension. Each is negated alone. These
checks then run against that one change, each in its own process:

  1. the simulation, seed by seed, until the judge complains or an exception ends a worker;
  2. with --unit, the unit tests of the module.

A change that no check detects has survived: either it makes no difference, or a check is missing.
Results are appended to a file as JSON lines, so an interrupted run continues where it stopped.

Examples:
  python tools/negate.py                                 all modules, 300 seeds per change
  python tools/negate.py --unit --seeds 150 processors/kernel.py
  python tools/negate.py --again --seeds 1000            only changes that have survived
  python tools/negate.py --list                          the conditions, without running anything
  python tools/negate.py --show processors/kernel.py:73  the changes of one line, as diffs
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import CodeType, ModuleType

ROOT: Final = Path(__file__).parents[1]
MODULES: Final = (
    "processors/kernel.py",
    "mailtumble/worker/cursor.py",
    "mailtumble/sender/claims.py",
    "processors/sending/targets.py",
    "processors/sending/dispatch.py",
)
SEED_CPU_S: Final = 30.0
"""A seed takes a fraction of a second. One that uses this much CPU time hangs, on any machine."""

SURVIVED: Final = "survived"
JUDGE: Final = "the judge"
EXCEPTION: Final = "an exception"
HANGS: Final = "it hangs"
UNIT: Final = "unit tests"


@dataclass(frozen=True, slots=True)
class Site:
    """One condition: its module, its line, and the span of its source in bytes."""

    module: str
    line: int
    start: int
    end: int
    text: str

    @property
    def name(self) -> str:
        """The name by which people and results identify the condition."""
        return f"{self.module}:{self.line}: {' '.join(self.text.split())}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one change: which check detected it, and at which seed."""

    site: str
    noticed_by: str
    detail: str = ""


def sites(module: str, source: bytes) -> list[Site]:
    """Return every condition of a module, in the order of the source.

    Args:
        module: the path of the module, which becomes part of the names.
        source: the bytes of the module.
    """
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found: dict[tuple[int, int], Site] = {}
    for node in _conditions(ast.parse(source)):
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        text = source[start:end].decode()
        found.setdefault((start, end), Site(module, node.lineno, start, end, text))
    return [found[place] for place in sorted(found)]


def negated(source: bytes, site: Site) -> bytes:
    """Return a module's source with one condition negated, without changing line numbers."""
    condition = source[site.start : site.end]
    return source[: site.start] + b"(not (" + condition + b"))" + source[site.end :]


def _conditions(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        match node:
            case ast.If() if _is_type_checking(node.test):
                pass
            case ast.If() | ast.While() | ast.IfExp():
                yield node.test
            case ast.match_case(guard=ast.expr() as guard):
                yield guard
            case ast.BoolOp():
                yield from node.values
            case ast.Compare():
                yield node
            case ast.comprehension():
                yield from node.ifs
            case _:
                pass


def _is_type_checking(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


class _Replacing(importlib.abc.MetaPathFinder, importlib.machinery.SourceFileLoader):
    """Imports one module from changed source, and all others as usual."""

    def __init__(self, module: str, source: bytes) -> None:
        self._dotted = module.removesuffix(".py").replace("/", ".")
        self._source = source
        super().__init__(self._dotted, str(ROOT / module))

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the protocol's
        target: ModuleType | None = None,  # noqa: ARG002 - the protocol's
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._dotted:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - the protocol's
        return compile(self._source, self.path, "exec", dont_inherit=True)


def _find(module: str, start: int, end: int) -> tuple[bytes, Site]:
    source = (ROOT / module).read_bytes()
    return source, next(
        each for each in sites(module, source) if (each.start, each.end) == (start, end)
    )


def simulate(seeds: int) -> tuple[str, str]:
    """Run seeds until one fails; return what detected the change, and the details."""
    from tests.simulation.runner import run_seed  # noqa: PLC0415 - after the module was replaced

    for seed in range(seeds):
        signal.setitimer(signal.ITIMER_VIRTUAL, SEED_CPU_S)  # The signal ends this process.
        try:
            result = run_seed(seed)
        except Exception as error:  # noqa: BLE001 - any exception detects the change
            return EXCEPTION, f"seed {seed}: {type(error).__name__}: {error}"
        if result.complaints:
            return JUDGE, f"seed {seed}: {result.complaints[0][:200]}"
        if result.exceptions:
            return EXCEPTION, f"seed {seed}: {result.exceptions[0][:200]}"
    return SURVIVED, f"{seeds} seeds"


def unit_tests(module: str) -> list[str]:
    """Return the paths of a module's unit tests: its own files first, then its package's folder."""
    path = Path(module)
    folder = ROOT / "tests" / "unit" / path.parent
    own = sorted(folder.glob(f"test_{path.stem}*.py"))
    return [str(each.relative_to(ROOT)) for each in (*own, folder)]


def _child(options: argparse.Namespace) -> int:
    """Run one check against one change; this is the body of a child process."""
    module, start, end = options.child.rsplit(":", 2)
    source, site = _find(module, int(start), int(end))
    sys.meta_path.insert(0, _Replacing(module, negated(source, site)))
    sys.path.insert(0, str(ROOT))
    if options.unit:
        import pytest  # noqa: PLC0415 - only where it is used

        failed = pytest.main(["-q", "-x", "-p", "no:cacheprovider", *unit_tests(module)])
        return 1 if failed else 0
    sys.stdout.write(json.dumps(simulate(options.seeds)) + "\n")
    return 0


def _run(site: Site, options: argparse.Namespace) -> Outcome:
    """Run the checks against one change; the unit tests only if the simulation detects nothing."""
    base = [sys.executable, str(Path(__file__)), f"--seeds={options.seeds}"]
    base.append(f"--child={site.module}:{site.start}:{site.end}")
    quiet: dict[str, Any] = {"cwd": ROOT, "capture_output": True, "text": True}
    try:
        done = subprocess.run(base, check=False, timeout=options.limit_s, **quiet)
    except subprocess.TimeoutExpired:
        return Outcome(site.name, HANGS, f"{options.limit_s} s")
    if done.returncode == -signal.SIGVTALRM:
        return Outcome(site.name, HANGS, f"a seed took {SEED_CPU_S:.0f} s of CPU")
    if done.returncode:
        return Outcome(site.name, EXCEPTION, done.stderr.strip().splitlines()[-1][:200])
    noticed_by, detail = json.loads(done.stdout.splitlines()[-1])
    if noticed_by != SURVIVED or not options.unit:
        return Outcome(site.name, noticed_by, detail)
    try:
        done = subprocess.run([*base, "--unit"], check=False, timeout=options.limit_s, **quiet)
    except subprocess.TimeoutExpired:
        return Outcome(site.name, HANGS, f"{options.limit_s} s")
    if done.returncode:
        failed = [each for each in done.stdout.splitlines() if each.startswith("FAILED")]
        return Outcome(site.name, UNIT, (failed or [done.stdout[-200:]])[0])
    return Outcome(site.name, SURVIVED, f"{detail}, and its unit tests")


def _known(path: Path) -> dict[str, Outcome]:
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return {outcome.site: outcome for outcome in (Outcome(**json.loads(line)) for line in lines)}


def _report(outcomes: Iterable[Outcome]) -> None:
    every = list(outcomes)
    count = Counter(each.noticed_by for each in every)
    print(", ".join(f"{name}: {number}" for name, number in count.most_common()))
    for each in every:
        if each.noticed_by == SURVIVED:
            print(f"survived ({each.detail}): {each.site}")


def _show(place: str) -> None:
    module, _, line = place.rpartition(":")
    source = (ROOT / module).read_bytes()
    for site in sites(module, source):
        if site.line == int(line):
            pair = [text.decode().splitlines() for text in (source, negated(source, site))]
            print("\n".join(difflib.unified_diff(*pair, module, site.name, n=2, lineterm="")))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "modules",
        nargs="*",
        default=MODULES,
        help="paths of modules, from the root of the repository",
    )
    parser.add_argument("--seeds", type=int, default=300, help="seeds per change (default: 300)")
    parser.add_argument(
        "--unit", action="store_true", help="also run the module's unit tests on what survives"
    )
    parser.add_argument(
        "--processes", type=int, default=2, help="changes checked in parallel (default: 2)"
    )
    parser.add_argument(
        "--limit-s",
        type=int,
        default=3600,
        help="time limit in seconds for each check of a change (default: 3600)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / ".negated.jsonl",
        help="the file of results (default: %(default)s)",
    )
    parser.add_argument(
        "--again", action="store_true", help="try the changes that have survived once more"
    )
    parser.add_argument("--list", action="store_true", help="print the conditions and exit")
    parser.add_argument(
        "--show", metavar="FILE:LINE", help="print the changes of one line and exit"
    )
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Try every change; return 1 if one has survived."""
    options = _options()
    if options.child:
        return _child(options)
    if options.show:
        _show(options.show)
        return 0
    every = [site for each in options.modules for site in sites(each, (ROOT / each).read_bytes())]
    if options.list:
        print("\n".join(site.name for site in every))
        return 0
    known = _known(options.out)
    todo = [
        site
        for site in every
        if site.name not in known or (options.again and known[site.name].noticed_by == SURVIVED)
    ]
    print(f"{len(every)} conditions, {len(todo)} to try, results in {options.out}", flush=True)
    with (
        ThreadPoolExecutor(options.processes) as pool,
        options.out.open("a", encoding="utf-8") as out,
    ):
        for outcome in pool.map(lambda site: _run(site, options), todo):
            known[outcome.site] = outcome
            out.write(json.dumps(asdict(outcome)) + "\n")
            out.flush()
            print(f"{outcome.noticed_by}: {outcome.site}", flush=True)
    names = {site.name for site in every}
    _report(outcome for name, outcome in known.items() if name in names)
    return 1 if any(known[name].noticed_by == SURVIVED for name in names) else 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    sys.exit(main())
