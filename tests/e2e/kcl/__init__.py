"""The KCL host with Amazon's daemon: needs Java."""
