#!/usr/bin/env bash
# Runs Terraform with its arguments, taking providers from a mirror on the disk
# where there is one (so that it works offline), else from the registry as usual.
#
#   TERRAFORM            the program (default: terraform on PATH)
#   TF_PROVIDER_MIRROR   the mirror's folder, the one that holds HOST/NAMESPACE/TYPE;
#                        empty: don't look for one
#   TF_CLI_CONFIG_FILE   is kept if it names a file and no mirror is asked for
set -euo pipefail

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Where packages and people put mirrors; Terraform's own places come first.
readonly roots=(
  "${HOME:-/nonexistent}/.terraform.d"
  "${XDG_DATA_HOME:-${HOME:-/nonexistent}/.local/share}/terraform"
  /usr/local/share
  /usr/share/terraform
  /usr/local/lib
  /var/lib/terraform
  /opt
)

find_terraform() {
  local program=${TERRAFORM:-terraform}
  if ! command -v "$program" >/dev/null 2>&1; then
    echo "Terraform is missing ('$program'). Install Terraform 1.9 or newer and put it on" >&2
    echo "PATH, or name it: TERRAFORM=/path/to/terraform" >&2
    exit 127
  fi
  command -v "$program"
}

# MIRROR/HOST/NAMESPACE/aws/VERSION/PLATFORM/terraform-provider-aws_* (unpacked), or
# MIRROR/HOST/NAMESPACE/aws/terraform-provider-aws_*.zip (packed). Prints MIRROR.
find_mirror() {
  local root found
  for root in "${roots[@]}"; do
    [[ -d $root ]] || continue
    found=$(timeout 20 find "$root" -xdev -maxdepth 8 \
      -path '*/hashicorp/aws/*' -name 'terraform-provider-aws*' -print -quit 2>/dev/null || true)
    if [[ -n $found ]]; then
      found=${found%/hashicorp/aws/*}
      dirname "$found"
      return
    fi
  done
}

terraform=$(find_terraform)

if [[ -n ${TF_CLI_CONFIG_FILE:-} && ! -f $TF_CLI_CONFIG_FILE ]]; then
  unset TF_CLI_CONFIG_FILE # Terraform would warn about it at each call
fi

if [[ -n ${TF_PROVIDER_MIRROR+set} ]]; then
  mirror=$TF_PROVIDER_MIRROR
elif [[ -n ${TF_CLI_CONFIG_FILE:-} ]]; then
  mirror=
else
  mirror=$(find_mirror)
fi

if [[ -n $mirror ]]; then
  if [[ ! -d $mirror ]]; then
    echo "TF_PROVIDER_MIRROR=$mirror is no folder." >&2
    exit 1
  fi
  mkdir -p "$checkout/.cache"
  # By a name of its own and a rename, so that two runs at once don't meet half a file.
  config=$checkout/.cache/terraform.tfrc
  draft=$(mktemp "$config.XXXXXX")
  cat >"$draft" <<END
disable_checkpoint = true
provider_installation {
  filesystem_mirror {
    path = "$mirror"
  }
  direct {
    exclude = ["hashicorp/aws"]
  }
}
END
  mv -f "$draft" "$config"
  export TF_CLI_CONFIG_FILE=$config
fi

export CHECKPOINT_DISABLE=1 # no call home for newer versions
exec "$terraform" "$@"
