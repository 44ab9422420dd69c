"""Header rewriting: a mail that came for an alias, made fit to be sent on through SES.

``rewrite`` is all that others need. Inside: ``header_block`` finds and splits the header,
``mending`` repairs it, ``rules`` is the table of what is kept, ``sender`` and ``references``
write the new fields, ``hops`` guards against loops.
"""

from __future__ import annotations

from processors.forwarding.model import Forwarding, RewrittenMail, Unforwardable
from processors.forwarding.rewrite import rewrite

__all__ = ["Forwarding", "RewrittenMail", "Unforwardable", "rewrite"]
