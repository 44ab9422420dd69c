"""One mail, whole: how it stands (:mod:`state`), and what follows from what (:mod:`decider`)."""

from __future__ import annotations

from processors.mail.decider import DECIDER, RULE_VERSION, Rules, asks, decide, timers
from processors.mail.state import INITIAL, Mail, evolve, fold

__all__ = [
    "DECIDER",
    "INITIAL",
    "RULE_VERSION",
    "Mail",
    "Rules",
    "asks",
    "decide",
    "evolve",
    "fold",
    "timers",
]
