#!/bin/sh
# What the image needs from its system; Debian 12, as root:
#
#   tools/image/system.sh              install it
#   tools/image/system.sh --simulate   say what would be installed; no root needed
#
# Java 17 is what the KCL's settings were measured on. tini reaps what a dead daemon leaves
# behind, and passes signals on to the worker.
set -eu

packages='openjdk-17-jre-headless tini'

if [ "${1:-}" = --simulate ]; then
  # shellcheck disable=SC2086 # two words
  exec apt-get --simulate install --no-install-recommends $packages
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet
# shellcheck disable=SC2086
apt-get install --quiet --yes --no-install-recommends $packages
rm -rf /var/lib/apt/lists/*

# By number: who runs the image can check that it is not root. It owns no file of the image.
groupadd --system --gid 10001 mailtumble
useradd --system --uid 10001 --gid mailtumble --home-dir /nonexistent --shell /usr/sbin/nologin mailtumble
