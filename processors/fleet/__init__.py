"""What holds for all senders at once: pauses."""
