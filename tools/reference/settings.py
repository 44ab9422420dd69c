"""``settings.md``: every setting, where it comes from, and what ``mailtumble local`` sets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Final

from mailtumble.local.ministack import MiniStack
from mailtumble.local.stack import LOCAL_SETTINGS
from mailtumble.settings import FILE_VARIABLE, PREFIX, REGION_VARIABLES, Settings, variable_of
from tools.reference.markdown import GENERATED, code, prose, table

SERVICES: Final = ("DYNAMODB", "KINESIS", "S3", "SESV2", "SNS", "SQS")

PAGE: Final = """\
# Settings

{generated}

A setting comes from one of four places. What comes later wins:

1. its default;
2. for `region` alone: {regions};
3. a TOML file, where `{file}` names one, with the names in the first column;
4. the environment, with the names in the second column.

Everything is checked before anything is done. A name that is none of these (in the file, or in
the environment behind `{prefix}`), and a value that is not allowed, end a command with exit code
2 and a line that names it.

A file such as

```toml
prefix = "mailtumble-acme"
region = "eu-west-1"
lifetime_h = 24
on_unknown = "park"
```

is used by

```sh
{file}=/etc/mailtumble.toml mailtumble worker core
```

## All settings

{settings}

The names end in their units: `_s` seconds, `_h` hours.

## Variables of boto3

Credentials and endpoints are not settings of mailtumble: boto3 finds them as it always does, in
`AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, in `AWS_PROFILE`, or in the role of the machine.
The region of a profile is not used.

`AWS_ENDPOINT_URL` points everything at an emulator. A variable for one service wins over it:
{services}.

## What `mailtumble local` sets

For itself and the workers that it starts, `mailtumble local` sets the values of the column
*local* in the environment, unless they are set there already. So they win over a file's, too.

To point boto3 at its own AWS, it sets {aws}.
A variable for one service (`AWS_ENDPOINT_URL_*`) that is set already stays as it is.

Other commands that are started in the same folder take over all these variables, and every
`{prefix}*` that it was started with.
"""


def page() -> str:
    """The page."""
    aws = MiniStack(Path("ministack.log"), port=0).environment()
    return PAGE.format(
        generated=GENERATED,
        prefix=PREFIX,
        file=FILE_VARIABLE,
        regions=", then ".join(map(code, REGION_VARIABLES)),
        settings="\n".join(_settings()),
        services=_listed([f"AWS_ENDPOINT_URL_{name}" for name in SERVICES]),
        aws=_listed(list(aws)),
    )


def _settings() -> Iterator[str]:
    headings = ("setting", "variable", "default", "local", "allowed", "meaning")
    return table(
        headings,
        (
            (
                code(each.name),
                code(variable_of(each.name)),
                code(str(each.default)) or "(empty)",
                code(LOCAL_SETTINGS.get(variable_of(each.name), "")),
                each.metadata["allowed"],
                prose(each.metadata["meaning"]),
            )
            for each in fields(Settings)
        ),
    )


def _listed(names: list[str]) -> str:
    *before, last = map(code, names)
    return f"{', '.join(before)} and {last}"
