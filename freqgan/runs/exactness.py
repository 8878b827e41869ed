"""What changed under a run that is continued, and whether its last digits can still be those of the uninterrupted one.

The images, their order and all random draws depend on the seed and the images seen alone. Sums of floating-point
numbers depend on the machine as well: on the processor's instructions, on how many threads, processes and images of a
batch share them, and on their precision.
"""

import logging
from collections.abc import Mapping
from typing import Any

from freqgan.runs.directory import RunDirectory
from freqgan.runs.resume import Choice, differences

log = logging.getLogger(__name__)

OF_THE_MACHINE = ("processor", "threads", "accelerators")


def arithmetic(facts: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the last digit of a sum depends on.

    Args:
        facts: of a run's record: `machine` and `computing`; what an older record lacks is left out.
        settings: the run's resolved config.
    """
    machine, batch_size = facts.get("machine") or {}, (settings.get("data") or {}).get("batch_size")
    return {
        **{key: machine[key] for key in OF_THE_MACHINE if key in machine},
        **(facts.get("computing") or {}),
        **({} if batch_size is None else {"data.batch_size": batch_size}),
    }


def tell_changes(run: RunDirectory, choice: Choice, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Says what can no longer be exact in a run that continues, in the log and under `resumed` in its record.

    Call it before the record and the config of the run are written anew.

    Args:
        facts: of today, as `run.json` will hold them.
        settings: today's resolved config.
    """
    if choice.checkpoint is None:
        return
    then, now = arithmetic(run.record, run.config), arithmetic(facts, settings)
    known = then.keys() & now.keys()
    changed = differences({key: then[key] for key in known}, {key: now[key] for key in known})
    if changed:
        log.warning(
            "%s goes on with the same images in the same order, but its numbers will differ in their last digits "
            "from those of the uninterrupted run: %s",
            run.path,
            ", ".join(f"{key} was {old!r}, now {new!r}" for key, (old, new) in changed.items()),
        )
    event = {"at": choice.images_seen, "changed": {key: list(values) for key, values in changed.items()}}
    run.write_record(resumed=[*run.record.get("resumed", []), event])
