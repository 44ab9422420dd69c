"""Real processes, from SMTP in to SES's API out."""
