"""Imported by Python itself at the start of a process: hooks botocore, in workers only."""

from __future__ import annotations

import os

if os.environ.get("AWS_CALLS_FOLDER"):
    from tools.aws_calls.recorder import record_this_process

    record_this_process()
