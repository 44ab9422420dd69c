#!/usr/bin/env bash
# Installs kinesis-mock, an emulator of Kinesis that splits and merges shards as Kinesis
# does, as requirements/kinesis-mock pins it, and prints the folder of its main.js.
# It is kept in .cache/ until the pins change. Needs Node.js 18 or newer with npm.
set -euo pipefail

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
pins=$checkout/requirements/kinesis-mock
installed=$checkout/.cache/kinesis-mock

for program in node npm; do
  if ! command -v "$program" >/dev/null 2>&1; then
    echo "$program is missing: install Node.js 18 or newer with npm" >&2
    echo "(Debian: apt install nodejs npm)." >&2
    exit 127
  fi
done

if ! cmp -s "$pins/package-lock.json" "$installed/package-lock.json"; then
  # Built beside its place and moved there whole: several may install at the same time.
  mkdir -p "$checkout/.cache"
  draft=$(mktemp -d "$checkout/.cache/kinesis-mock.XXXXXX")
  trap 'rm -rf "$draft"' EXIT
  cp "$pins/package.json" "$pins/package-lock.json" "$draft/"
  (cd "$draft" && npm ci --ignore-scripts --no-audit --no-fund --silent) >&2
  rm -rf "$installed"
  mv -T "$draft" "$installed" 2>/dev/null || cmp -s "$pins/package-lock.json" "$installed/package-lock.json"
fi
echo "$installed/node_modules/kinesis-local"
