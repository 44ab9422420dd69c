"""The archive: every record of the stream, as it is, in segments on S3, chained by their hashes.

::

    shard A   seg ◀── seg ◀── seg (closed)   head of A: hash, last record
                                   ▲
    shard B (A's child)            └ parents ── seg ◀── seg          head of B

A segment names the one before it by hash, a child's first segment its parents' last. The heads are
kept in a table, apart from the chain: nobody who can write to the bucket alone can change history.
"""
