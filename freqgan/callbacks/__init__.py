"""What happens around training: the record, pictures, judgement, checkpoints, signals, progress."""

from freqgan.callbacks.checkpoint_store import AtomicCheckpointIO, CheckpointStore
from freqgan.callbacks.collapse import CollapseMonitor
from freqgan.callbacks.divergence import Divergence
from freqgan.callbacks.evaluation import Evaluation
from freqgan.callbacks.galleries import write_galleries
from freqgan.callbacks.interruption import Interruption
from freqgan.callbacks.journal import Journal, Mirror
from freqgan.callbacks.progress import ProgressBar
from freqgan.callbacks.sample_grid import SampleGrid, save_grid
from freqgan.callbacks.stopping import Equilibrium, Plateau
from freqgan.callbacks.tensorboard_mirror import TensorBoardMirror
from freqgan.callbacks.wandb_mirror import WandbMirror

__all__ = [
    "AtomicCheckpointIO",
    "CheckpointStore",
    "CollapseMonitor",
    "Divergence",
    "Equilibrium",
    "Evaluation",
    "Interruption",
    "Journal",
    "Mirror",
    "Plateau",
    "ProgressBar",
    "SampleGrid",
    "TensorBoardMirror",
    "WandbMirror",
    "save_grid",
    "write_galleries",
]
