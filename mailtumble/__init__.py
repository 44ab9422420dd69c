"""The body of mailtumble: everything that reads a clock, a network or a setting."""
