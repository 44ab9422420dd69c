"""From SES's notifications on a queue to facts on the stream: verified, normalised, none lost."""
