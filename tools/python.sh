#!/bin/sh
# Prints the Python to make the virtual environment with: the first that is 3.11
# or newer, can make one, and runs. It is tried by running it, since a version
# manager's shim is there for versions that aren't active too.
# PYTHON=/path/to/python chooses one.
set -eu

works() {
  "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
  if works "$candidate"; then
    command -v "$candidate"
    exit 0
  fi
done

if [ -n "${PYTHON:-}" ]; then
  echo "PYTHON=$PYTHON is no Python 3.11 or newer with venv and ensurepip." >&2
else
  echo "mailtumble needs Python 3.11 or newer with venv and ensurepip; no python3.13," >&2
  echo "python3.12, python3.11 or python3 on PATH is one that runs. Install one" >&2
  echo "(on Debian: python3 and python3-venv), or name one: make PYTHON=/path/to/python" >&2
fi
exit 1
