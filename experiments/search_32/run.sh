#!/usr/bin/env bash
# Searches, then trains the default and the best settings with seeds that the search has not seen.
# Stop it and start it again as you like. Arguments are overrides, such as paths.output_dir=<folder>.
set -euo pipefail
cd "$(dirname "$0")/../.."
export OMP_NUM_THREADS=1
freqgan=${FREQGAN:-.venv/bin/freqgan}
short=(budget.images=8000 evaluation.at_start=none hardware=cpu hardware.threads=1
    metrics.num_images=500)

"$freqgan" train --config-dir experiments/search_32/conf sweep=search_32 experiment=frequency_gan/openmoji "${short[@]}" evaluation.every_images=2000 "$@"
"$freqgan" train -m --config-dir experiments/search_32/conf "${short[@]}" evaluation.every_images=4000 \
    sweep.name=confirm_32 experiment=frequency_gan/openmoji,search_32_best 'seed=range(11,17)' "$@"
