#!/bin/sh
# Installs mailtumble from this checkout into a virtual environment of its own, with what
# requirements/image.lock names and nothing else:
#
#   tools/image/install.sh FOLDER
#
#   PYTHON   what the environment is made with (default: python3)
#
# The Dockerfile runs it; so do the tests, since it needs neither Docker nor root.
set -eu

folder=${1:?"usage: tools/image/install.sh FOLDER"}
python=${PYTHON:-python3}
cd "$(dirname "$0")/../.."

# What builds the wheel stays out of what is shipped.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Only wheels: nothing is compiled, and no package's own code runs while it is installed.
export PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ONLY_BINARY=:all: PIP_NO_DEPS=1

"$python" -m venv "$scratch/build"
"$scratch/build/bin/pip" install --quiet --require-hashes -r requirements/build.lock
"$scratch/build/bin/hatchling" build -t wheel -d "$scratch/wheel"

"$python" -m venv "$folder"
"$folder/bin/pip" install --quiet --require-hashes -r requirements/image.lock
"$folder/bin/pip" install --quiet --no-index "$scratch"/wheel/mailtumble-*.whl
"$folder/bin/pip" check
# Nothing is installed from here on. (Before Python 3.12, venv brings setuptools too.)
"$folder/bin/pip" uninstall --quiet --yes setuptools pip
