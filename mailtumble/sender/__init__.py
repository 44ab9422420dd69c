"""The sender: its queue, its claims, its instants, and the call to SES (:mod:`.transmission`)."""
