#!/usr/bin/env bash
# Runs what is missing of a part of the study; stop it and start it again as you like. Further arguments are overrides.
#   run.sh lines                     outlines of OpenMoji to its colours, four methods with two seeds
#   NOTO=<file> run.sh styles        Noto to Twemoji and back; NOTO is NotoColorEmoji.ttf, if it is not installed
#   BEST=<method> run.sh long        one long run on outlines
#   run.sh tables                    tables of both parts, and pictures beside the runs: they show drawings of others
# VERB=plan says what a part would cost.
set -euo pipefail
cd "$(dirname "$0")/../.."
export OMP_NUM_THREADS=1
freqgan=${FREQGAN:-.venv/bin/freqgan}
python=${PYTHON:-.venv/bin/python}
part=${1:-lines}
here=experiments/translation_methods
runs=outputs/translation_methods
study=(--config-dir "$here/conf" name=translation_methods hardware=cpu hardware.threads=1)

case $part in
    lines) "$freqgan" "${VERB:-train}" "${study[@]}" sweep=lines "${@:2}" ;;
    styles)
        "$freqgan" "${VERB:-train}" "${study[@]}" sweep=styles data=emoji_styles data.source.a=noto \
            ${NOTO:+data.source.noto="$NOTO"} "${@:2}"
        ;;
    long)
        "$freqgan" "${VERB:-train}" "${study[@]}" experiment=translation_methods/"${BEST:-pix2pix}" \
            name=translation_methods_long resume=auto budget.images=null budget.minutes=20 "${@:2}"
        ;;
    tables)
        for part in lines styles; do
            "$python" "$here/methods.py" "$runs/$part" --csv "$here/$part.csv"
            "$python" experiments/beside.py "$runs/$part" --to "$runs/$part.png"
        done
        "$python" "$here/methods.py" "$runs/styles" --direction ba
        "$python" experiments/beside.py "$runs/styles" --direction ba --to "$runs/styles_back.png"
        ;;
    *) echo "run.sh lines|styles|long|tables, got $part" >&2 && exit 2 ;;
esac
