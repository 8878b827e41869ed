"""One thread per test process: spinning OpenMP threads on shared cores cost 10-100x."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("WANDB_MODE", "offline")

import torch

torch.set_num_threads(1)
