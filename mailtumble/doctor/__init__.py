"""``mailtumble doctor``: looks at a set-up, and says of each part what to do.

A check is a function from a :class:`~mailtumble.doctor.findings.Setup` to findings; the modules
here have one concern each, :mod:`~mailtumble.doctor.checkup` lists the checks and runs them.
"""
