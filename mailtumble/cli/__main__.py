"""``python -m mailtumble.cli``: the command line, for the local stack's own processes."""

from __future__ import annotations

from mailtumble.cli import main

if __name__ == "__main__":
    main()
