#!/usr/bin/env bash
# Runs what is missing of the ablation; stop it and start it again as you like. Arguments are overrides.
# VERB=plan says what it would cost.
set -euo pipefail
cd "$(dirname "$0")/../.."
export OMP_NUM_THREADS=1
freqgan=${FREQGAN:-.venv/bin/freqgan}

"$freqgan" "${VERB:-train}" --config-dir experiments/frequency_ablation/conf experiment=frequency_ablation \
    sweep=frequency_ablation hardware=cpu hardware.threads=1 "$@"
