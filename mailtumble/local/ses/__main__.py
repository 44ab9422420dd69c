"""``python -m mailtumble.local.ses``."""

from __future__ import annotations

import logging
import os
import sys

from mailtumble.local.ses.process import main

if __name__ == "__main__":
    exit_code = main()
    logging.shutdown()
    sys.stdout.flush()
    # Everything is closed. An ordinary exit would wait for a thread that still
    # hangs in a call to an unreachable S3 or SNS, for as long as its time-outs.
    os._exit(exit_code)
