"""``python -m tools.reference``."""

from __future__ import annotations

import sys

from tools.reference.pages import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
