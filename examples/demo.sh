#!/usr/bin/env bash
# Installs what is missing, builds compress_opt and runs it on the embedded model. Arguments are passed on to it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../cmake/set_up.sh"

miq_install_missing
(cd "$miq_root" && miq_build demo -- compress_opt)
exec "$miq_root/build/demo/examples/compress_opt/compress_opt" "$@"
