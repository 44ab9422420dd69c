"""``python -m tools.cost``: the table of infra/terraform/README.md.

Without arguments it is written anew from infra/terraform/cost/; ``--check`` fails where the
README's is another; ``--measure`` runs the workers first (four minutes) and counts.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Final

from tools.cost.estimate import MEASURED, TERRAFORM, table

README: Final = TERRAFORM / "README.md"
BEGIN: Final = "<!-- Written by python -m tools.cost: change infra/terraform/cost/, not this. -->"
END: Final = "<!-- The end of what it writes. -->"


def placed(text: str) -> str:
    """The README with the table of now between its marks."""
    marks = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    return marks.sub(lambda _: f"{BEGIN}\n\n{table()}\n\n{END}", text)


def main(arguments: list[str]) -> int:
    """Write or check; the exit code."""
    if "--measure" in arguments:
        from tools.cost.measure import measure  # noqa: PLC0415 - it takes boto and more

        MEASURED.write_text(json.dumps(measure(), indent=2) + "\n", encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    wanted = placed(text)
    if "--check" not in arguments:
        README.write_text(wanted, encoding="utf-8")
    elif wanted != text:
        print(f"{README}: the costs are old; run python -m tools.cost", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
