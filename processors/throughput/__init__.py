"""Rolling windows of what was sent, refused and deferred."""
