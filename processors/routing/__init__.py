"""Which targets does this mail go to?"""
