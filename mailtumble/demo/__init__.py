"""The demo: real mails through the whole system on this machine, each one's story told."""
