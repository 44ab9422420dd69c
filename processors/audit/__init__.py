"""Whether everything that came in has an end or is still open: the sum, from events and items."""
