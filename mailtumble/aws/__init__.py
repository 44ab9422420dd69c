"""The adapters to AWS, one module per service, each implementing a port of mailtumble.ports.

Clients come from :mod:`mailtumble.aws.clients`; what botocore raises is turned into the project's
errors by :mod:`mailtumble.aws.errors` alone (save sends, whose outcome needs a closer look:
:mod:`mailtumble.aws.ses`).
"""
