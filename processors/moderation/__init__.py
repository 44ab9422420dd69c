"""May a mail go, and when: the rules that hold, tag, reject or pass it."""
