#!/usr/bin/env bash
# Resolves dependencies of pyproject.toml into a lock of exact pins with hashes; which, say
# pip-compile's own arguments:  tools/lock.sh PIP_COMPILE LOCK ARGUMENT...
#
# The lock says what to install, not where from: no index, no host and no folder of
# the machine that it was made on. Resolved on Python 3.11, the oldest supported,
# since newer Pythons need no more packages than it does.
set -euo pipefail

pip_compile=$1
lock=$2

oldest=3.11
version=$("$(dirname "$pip_compile")/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if [[ $version != "$oldest" ]]; then
  echo "The lock is resolved on Python $oldest; .venv has $version:" >&2
  echo "make clean, then make lock PYTHON=python$oldest" >&2
  exit 1
fi

export CUSTOM_COMPILE_COMMAND='make lock'
"$pip_compile" --quiet --strip-extras --allow-unsafe --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
  --output-file "$lock" "${@:3}" pyproject.toml

if grep -nE '^ *--(index-url|extra-index-url|find-links|trusted-host)|[a-z]+://' "$lock"; then
  echo "The lines above name a place of this machine: they don't belong into $lock." >&2
  exit 1
fi
