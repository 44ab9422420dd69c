#!/bin/sh
# Prints the Python to make the virtual environment with: the newest on PATH that
# is 3.11 or newer, can make one, and runs; an older one of these where it is
# quicker by a tenth. (A distribution's is built with optimizations; what a
# version manager has compiled often is not, and takes an eighth more CPU for
# everything.) A program is tried by running it, since a version manager's shim is
# there for versions that aren't active too.
# PYTHON=/path/to/python chooses one.
set -eu

# The CPU time (microseconds) that it takes for some work; nothing where it can't
# be used.
tried() {
  "$1" -c '
import ensurepip, json, sys, time, venv

def work():
    began = time.process_time()
    for number in range(4000):
        given = {"id": number, "of": [str(each) for each in range(8)], "in": {"a": number}}
        json.loads(json.dumps(given, sort_keys=True))
    return round((time.process_time() - began) * 1e6)

sys.exit(1) if sys.version_info < (3, 11) else print(min(work() for _ in range(5)))
' 2>/dev/null || true
}

# Every program of a name that PATH leads to, the first one first.
programs() {
  case $1 in
    */*) echo "$1" ;;
    *) echo "$PATH" | tr : '\n' | sed "s|\$|/$1|" ;;
  esac
}

best='' best_us=0
for name in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
  for candidate in $(programs "$name"); do
    [ -x "$candidate" ] || continue
    us=$(tried "$candidate")
    [ -n "$us" ] || continue
    if [ -z "$best" ] || [ $((us * 10)) -lt $((best_us * 9)) ]; then
      best=$candidate best_us=$us
    fi
  done
done
if [ -n "$best" ]; then
  echo "$best"
  exit 0
fi

if [ -n "${PYTHON:-}" ]; then
  echo "PYTHON=$PYTHON is no Python 3.11 or newer with venv and ensurepip." >&2
else
  echo "mailtumble needs Python 3.11 or newer with venv and ensurepip; no python3.13," >&2
  echo "python3.12, python3.11 or python3 on PATH is one that runs. Install one" >&2
  echo "(on Debian: python3 and python3-venv), or name one: make PYTHON=/path/to/python" >&2
fi
exit 1
