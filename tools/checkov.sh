#!/usr/bin/env bash
# Looks through the Terraform files for what is unsafe, with checkov, which has an
# environment of its own under .cache/ (its packages don't agree with ours):
#
#   tools/checkov.sh           every finding has to be mended, or to have its reason beside
#                              the resource (checkov:skip=ID:REASON); more arguments are checkov's
#   tools/checkov.sh --lock    resolve requirements/checkov.lock anew (needs .venv)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly lock=requirements/checkov.lock
readonly environment=$PWD/.cache/checkov

if [[ ${1:-} == --lock ]]; then
  export CUSTOM_COMPILE_COMMAND='tools/checkov.sh --lock'
  .venv/bin/pip-compile --quiet --strip-extras --allow-unsafe --generate-hashes \
    --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
    --output-file "$lock" requirements/checkov.in
  exit
fi

wanted=$(sha256sum "$lock" | cut -d' ' -f1)
if [[ $(cat "$environment/locked" 2>/dev/null) != "$wanted" ]]; then
  echo "Installing checkov (a minute or two) ..." >&2
  python=$(tools/python.sh)
  "$python" -m venv --clear "$environment"
  "$environment/bin/pip" install -qq --no-input --disable-pip-version-check --require-hashes -r "$lock"
  echo "$wanted" >"$environment/locked"
fi

[[ $# -gt 0 ]] || set -- --compact --quiet # what is wrong, and nothing else

# No call home: neither for modules, nor for guides to the findings.
exec env BC_SKIP_MAPPING=TRUE CHECKOV_RUN_SCA_PACKAGE_SCAN=false LOG_LEVEL=ERROR \
  "$environment/bin/checkov" --directory infra/terraform --framework terraform \
  --download-external-modules false \
  --skip-download "$@"
