#!/usr/bin/env bash
# Runs what is missing of a part of the study; stop it and start it again as you like. Further arguments are overrides.
#   run.sh encoders    pairs of encoders for the losses, and others that judge, on both data sets; the first part
#   run.sh scenes      the arrangements with three seeds
#   run.sh openmoji    the arrangements with one seed
#   BEST='<overrides>' run.sh long    one long run of an arrangement on scenes, in batches of 32
# VERB=plan says what a part would cost.
set -euo pipefail
cd "$(dirname "$0")/../.."
export OMP_NUM_THREADS=1
freqgan=${FREQGAN:-.venv/bin/freqgan}
part=${1:-scenes}
study=(--config-dir experiments/staged_text_gan/conf hardware=cpu hardware.threads=1)

encoders() { # data set, seed, what is added to the name
    "$freqgan" "${VERB:-train}" experiment=image_text_encoder/"$1" name=image_text_encoder_"$1$3" seed="$2" \
        resume=auto hardware=cpu hardware.threads=1 "${@:4}"
}

case $part in
    encoders)
        for data in scenes openmoji; do
            encoders "$data" 1 '' "${@:2}"
            encoders "$data" 2 _judge "${@:2}"
        done
        ;;
    scenes)
        "$freqgan" "${VERB:-train}" "${study[@]}" experiment=staged_text_gan_scenes sweep=arrangements \
            'seed=range(1,4)' "${@:2}"
        ;;
    openmoji)
        "$freqgan" "${VERB:-train}" "${study[@]}" experiment=staged_text_gan_openmoji sweep=arrangements \
            sweep.name=openmoji "${@:2}"
        ;;
    long)
        "$freqgan" "${VERB:-train}" "${study[@]}" experiment=staged_text_gan/scenes ${BEST:-} \
            name=staged_text_gan_long metrics.judge_run=outputs/image_text_encoder_scenes_judge resume=auto "${@:2}"
        ;;
    *) echo "run.sh encoders|scenes|openmoji|long, got $part" >&2 && exit 2 ;;
esac
