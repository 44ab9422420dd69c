"""What the workers call at AWS: written down by the workers themselves, for IAM and for the bill.

A process that starts with :data:`FOLDER_VARIABLE` and with ``inject`` on its PYTHONPATH writes
each of its API calls into a file of that folder, as a line of JSON. Nothing of that is in the
product: botocore and obstore are hooked from outside, and what is recorded are the real processes.
"""
