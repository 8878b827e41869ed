"""Run directories: files that are whole, locks, resuming, provenance."""

from freqgan.runs.cells import Cells
from freqgan.runs.directory import RunDirectory, last_metric, runs_under
from freqgan.runs.exactness import tell_changes
from freqgan.runs.files import copy_whole, read_checkpoint, verify_checkpoint, write_checkpoint, write_json
from freqgan.runs.provenance import provenance, versions
from freqgan.runs.report import report
from freqgan.runs.resume import Choice, choose, differences, identity, refuse_changes, settle

__all__ = [
    "Cells",
    "Choice",
    "RunDirectory",
    "choose",
    "copy_whole",
    "differences",
    "identity",
    "last_metric",
    "provenance",
    "read_checkpoint",
    "refuse_changes",
    "report",
    "runs_under",
    "settle",
    "tell_changes",
    "verify_checkpoint",
    "versions",
    "write_checkpoint",
    "write_json",
]
