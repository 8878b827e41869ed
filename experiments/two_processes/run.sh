#!/usr/bin/env bash
# The same experiment on one process and on two; stop it and start it again as you like. Arguments are overrides.
set -euo pipefail
cd "$(dirname "$0")/../.."
export OMP_NUM_THREADS=1
freqgan=${FREQGAN:-.venv/bin/freqgan}
for hardware in cpu cpu_ddp; do
    "$freqgan" train -m experiment=frequency_gan/openmoji budget.images=16000 evaluation.at_start=none \
        evaluation.every_images=16000 sweep.name="$hardware" hardware="$hardware" hardware.threads=1 \
        'seed=range(1,7)' "$@"
done
