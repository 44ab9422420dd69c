"""Verification: the stream read from its start, replayed, and held against what is stored."""
