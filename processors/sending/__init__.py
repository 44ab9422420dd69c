"""Attempts, retries, unknown outcomes, expiry; the arithmetic of pace and fairness."""
