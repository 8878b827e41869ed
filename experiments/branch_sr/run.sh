#!/usr/bin/env bash
# Runs what is missing of a part of the study; stop it and start it again as you like. Further arguments are overrides.
#   TRAIN=<folder> TEST=<folder> run.sh networks   networks of equal cost, L1 alone
#   TRAIN=<folder> TEST=<folder> run.sh rates      lower learning rates for those that learn far less, and for the base
#   TRAIN=<folder> TEST=<folder> run.sh gan        with and without a GAN in a second phase
# VERB=plan says what a part would cost.
set -euo pipefail
cd "$(dirname "$0")/../.."
export OMP_NUM_THREADS=1
freqgan=${FREQGAN:-.venv/bin/freqgan}
part=${1:-networks}

case $part in
    networks | rates) experiment=branch_sr ;;
    gan) experiment=branch_sr_gan ;;
    *) echo "run.sh networks|rates|gan, got $part" >&2 && exit 2 ;;
esac
"$freqgan" "${VERB:-train}" --config-dir experiments/branch_sr/conf experiment="$experiment" sweep="$part" \
    data.root="${TRAIN:?is the folder of training photographs}" \
    data.val_root="${TEST:?is the folder of test photographs}" hardware=cpu hardware.threads=1 "${@:2}"
