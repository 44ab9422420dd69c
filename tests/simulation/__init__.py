"""The seeded simulation: the product's own classes in a world of fakes and faults."""
