"""The inside of a stream consumer: cursor, memory, decisions, commit, timers; and its hosts."""
