#!/usr/bin/env bash
# Runs what is missing of the sweep; stop it and start it again as you like. Further arguments are overrides.
set -euo pipefail
cd "$(dirname "$0")/../.."
export OMP_NUM_THREADS=1
freqgan=${FREQGAN:-.venv/bin/freqgan}

"$freqgan" "${1:-train}" --config-dir experiments/sweep_demo/conf experiment=frequency_gan/openmoji sweep=sweep_demo \
    budget.images=16000 evaluation.every_images=8000 hardware=cpu hardware.threads=1 "${@:2}"
