#!/bin/sh
# Applies infra/terraform/envs/localstack, and writes the environment of workers and commands:
#
#   tools/image/apply.sh INFRA STATE FILE
#
#   INFRA      infra/terraform, which is only read
#   STATE      a folder that is kept: Terraform's state and its provider
#   FILE       where the environment goes: NAME='value' a line, for a shell to read
#   APPLY_WITH what runs Terraform (default: terraform)
#   TF_VAR_*   the environment's variables
#
# For a POSIX shell with wget and nothing else: it runs in Terraform's own image.
set -eu

infra=$1 state=$2 file=$3
terraform=${APPLY_WITH:-terraform}
export TF_DATA_DIR="$state/data" TF_IN_AUTOMATION=1 TF_INPUT=0 CHECKPOINT_DISABLE=1

# LocalStack forgets everything when it ends, and what the state tells is then not there any more.
endpoint=${TF_VAR_endpoint:-http://127.0.0.1:4566}
session=$(wget -q -O - "$endpoint/_localstack/info" | sed -n 's/.*"session_id": *"\([^"]*\)".*/\1/p')
if [ -z "$session" ]; then
  echo "No LocalStack answers at $endpoint (TF_VAR_endpoint)." >&2
  exit 1
fi
if [ "$session" != "$(cat "$state/session" 2>/dev/null)" ]; then
  rm -f "$state"/terraform.tfstate*
  printf '%s' "$session" >"$state/session"
fi

# A copy, since Terraform writes its lock beside what it reads.
rm -rf "$state/terraform"
cp -R "$infra" "$state/terraform"
cd "$state/terraform/envs/localstack"

"$terraform" init -no-color -reconfigure -backend-config="path=$state/terraform.tfstate"
"$terraform" apply -no-color -auto-approve
"$terraform" output -raw environment_file >"$file.draft"
mv "$file.draft" "$file"
