"""The language of mailtumble: values, events, envelope, codec. Pure: msgpack is all it needs.

Start at :mod:`schemas.events` for the list of everything that can happen.
"""
