"""What became of mail to an address over all mails, and whether it may be sent to."""
