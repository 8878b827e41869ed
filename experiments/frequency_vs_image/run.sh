#!/usr/bin/env bash
# Runs what is missing of a part of the study; stop it and start it again as you like. Further arguments are overrides.
#   run.sh rates                    the arms at four settings each, on fewer images
#   run.sh main                     the arms with three seeds
#   run.sh stability                without R1, at three learning rates with two seeds
#   BEST=<arm> run.sh long          plain DCGAN and another arm (haar_judged_whole), five times as long
#   CAMVID=<folder> run.sh scenes   both on CamVid's street scenes
#   BSDS=<folder> run.sh photos     both on BSDS500's photographs
# VERB=plan says what a part would cost.
set -euo pipefail
cd "$(dirname "$0")/../.."
export OMP_NUM_THREADS=1
freqgan=${FREQGAN:-.venv/bin/freqgan}
part=${1:-main}
pair=(-m sweep.name="$part" experiment=frequency_vs_image/identity,frequency_vs_image/"${BEST:-haar_judged_whole}")
seeds='seed=range(1,4)'

case $part in
    rates) jobs=(sweep=rates budget.images=24000 evaluation.every_images=24000) ;;
    main) jobs=(sweep=main) ;;
    stability)
        jobs=(sweep=stability model.terms.discriminator.r1=0.0 budget.images=20000 evaluation.every_images=20000)
        ;;
    long) jobs=("${pair[@]}" budget.images=200000 evaluation.every_images=40000) ;;
    scenes) jobs=("$seeds" "${pair[@]}" data=image_folder data.root="${CAMVID:?is the folder of CamVid images}") ;;
    photos) jobs=("$seeds" "${pair[@]}" data=image_folder data.root="${BSDS:?is the folder of BSDS500 images}") ;;
    *) echo "run.sh rates|main|stability|long|scenes|photos, got $part" >&2 && exit 2 ;;
esac
"$freqgan" "${VERB:-train}" --config-dir experiments/frequency_vs_image/conf name=frequency_vs_image \
    hardware=cpu hardware.threads=1 "${jobs[@]}" "${@:2}"
