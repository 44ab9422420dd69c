"""What a month costs on AWS: prices times what the real workers' calls amount to."""
