"""Becomes a program that ends with its parent: ``launch PARENT-PID PROGRAM ARGUMENT...``."""

from __future__ import annotations

import os
import sys

from mailtumble.parent import die_with


def main() -> None:
    """Tie this process to its parent, then become the program (prctl(2): execve keeps the tie)."""
    die_with(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - no shell: the very program


if __name__ == "__main__":
    main()
