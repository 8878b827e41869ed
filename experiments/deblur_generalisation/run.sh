#!/usr/bin/env bash
# Runs what is missing of a part of the study; stop it and start it again as you like. Further arguments are overrides.
#   PHOTOS=<folder> OTHER_PHOTOS=<folder> EARTH=<folder> run.sh pictures   what the others learn from; first
#   run.sh matrix     people after each degradation and after a mixture of all
#   run.sh kinds      photographs and the Earth after one blur
#   run.sh samples    100, 1,000 and all photographs, four methods
#   BEST=<method> run.sh long    one long run
#   run.sh tests      every run on every test, classical filters, tables and pictures; last
# VERB=plan says what a part would cost.
set -euo pipefail
cd "$(dirname "$0")/../.."
export OMP_NUM_THREADS=1
freqgan=${FREQGAN:-.venv/bin/freqgan}
python=${PYTHON:-.venv/bin/python}
part=${1:-matrix}
here=experiments/deblur_generalisation
study=(--config-dir "$here/conf" hardware=cpu hardware.threads=1)
base=experiment=deblur_generalisation/encoder_decoder

case $part in
    pictures)
        "$python" "$here/pictures.py" --photos "${PHOTOS:?is the folder of photographs to learn from}" \
            --other-photos "${OTHER_PHOTOS:?is the folder of photographs for tests}" \
            --earth "${EARTH:?is the folder of day.jpg, water.png, elevation.png and countries.geojson}" "${@:2}"
        ;;
    matrix | kinds) "$freqgan" "${VERB:-train}" "${study[@]}" sweep="$part" $base "${@:2}" ;;
    samples) "$freqgan" "${VERB:-train}" "${study[@]}" name=deblur_generalisation sweep=samples "${@:2}" ;;
    long)
        "$freqgan" "${VERB:-train}" "${study[@]}" experiment=deblur_generalisation/"${BEST:-encoder_decoder}" \
            name=deblur_generalisation_long resume=auto budget.images=null budget.minutes=20 "${@:2}"
        ;;
    tests)
        "$python" "$here/judge.py" outputs/deblur_generalisation
        "$python" "$here/classical.py"
        "$python" "$here/tables.py" outputs/deblur_generalisation --to "$here"
        ;;
    *) echo "run.sh pictures|matrix|kinds|samples|long|tests, got $part" >&2 && exit 2 ;;
esac
