"""The KCL host: Amazon's Java daemon leases shards and starts a child process for each.

::

    supervisor ── java MultiLangDaemon ──┬── child: one shard, one lane, Faust's timers
     │  /health, /metrics                └── child …
     └── reads what the children write down of themselves (reports)

The lease says who should work; the cursor's epoch says who may (:mod:`mailtumble.worker.cursor`).
"""
