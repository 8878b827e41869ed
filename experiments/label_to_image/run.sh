#!/usr/bin/env bash
# Runs what is missing of a part of the study; stop it and start it again as you like. Further arguments are overrides.
#   CAMVID=<folder> run.sh judge     the segmenter that judges streets; the first part
#   CAMVID=<folder> run.sh streets   three generators, one to three discriminators, the losses
#   run.sh crowds                    what stands for instances beside the classes
#   CAMVID=<folder> BEST='<overrides>' run.sh long   an hour of label_to_image/camvid with what proved best, on two cores
#   CAMVID=<folder> run.sh long_pix2pix              as long of the baseline
# VERB=plan says what a part would cost.
set -euo pipefail
cd "$(dirname "$0")/../.."
export OMP_NUM_THREADS=1
freqgan=${FREQGAN:-.venv/bin/freqgan}
part=${1:-streets}
study=(--config-dir experiments/label_to_image/conf name=label_to_image hardware=cpu hardware.threads=1)

streets() { # an experiment of the project, and overrides
    "$freqgan" "${VERB:-train}" experiment="$1" data.root="${CAMVID:?is the folder of CamVid, with train/ and val/}" \
        resume=auto hardware=cpu "${@:2}"
}

case $part in
    judge) streets segmenter/camvid hardware.threads=1 "${@:2}" ;;
    streets)
        "$freqgan" "${VERB:-train}" "${study[@]}" sweep=streets \
            data.root="${CAMVID:?is the folder of CamVid, with train/ and val/}" "${@:2}"
        ;;
    crowds) "$freqgan" "${VERB:-train}" "${study[@]}" experiment=label_to_image_crowds sweep=crowds "${@:2}" ;;
    long) streets label_to_image/camvid hardware.threads=2 ${BEST:-} "${@:2}" ;;
    long_pix2pix) streets label_to_image/camvid_pix2pix hardware.threads=2 "${@:2}" ;;
    *) echo "run.sh judge|streets|crowds|long|long_pix2pix, got $part" >&2 && exit 2 ;;
esac
