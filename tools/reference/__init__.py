"""The pages in docs/reference, written from the code: ``python -m tools.reference``.

With ``--check`` it writes nothing and ends with 1 where a file is stale. Each page is a module
here with a function ``page``.
"""
