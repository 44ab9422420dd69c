"""The whole system on LocalStack."""
