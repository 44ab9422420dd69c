#!/usr/bin/env bash
# Checks the format of all Terraform files, and validates each environment with the
# modules it calls. Needs no account, no backend and, with a provider mirror on the
# disk, no network.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools/terraform.sh fmt -check -diff -recursive infra/terraform

for environment in infra/terraform/envs/*/; do
  environment=${environment%/}
  # Out of the tree, and apart from what a person's own init (with a backend) made.
  export TF_DATA_DIR=$PWD/.cache/terraform/$environment
  log=$TF_DATA_DIR.log
  mkdir -p "$TF_DATA_DIR"
  if ! tools/terraform.sh -chdir="$environment" init -backend=false -input=false -no-color >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
  fi
  tools/terraform.sh -chdir="$environment" validate -no-color >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
  echo "$environment: valid"
done
