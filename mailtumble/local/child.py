"""Runs a module in a process that ends with its parent: ``child PARENT-PID MODULE ARGUMENT...``."""

from __future__ import annotations

import runpy
import sys

from mailtumble.parent import die_with


def main() -> None:
    """Tie this process to its parent, then become the module."""
    parent, module = int(sys.argv[1]), sys.argv[2]
    die_with(parent)
    sys.argv = [module, *sys.argv[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
