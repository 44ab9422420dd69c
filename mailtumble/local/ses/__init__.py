"""The local SES: both sides of Amazon SES, as a process reached by its endpoints alone."""
