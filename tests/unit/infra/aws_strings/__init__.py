"""AWS's constraints on strings, and their check over what Terraform plans."""
