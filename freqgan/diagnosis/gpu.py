"""GPUs: which PyTorch sees, which the driver sees, and what they can do."""

import os
import subprocess
import warnings
from collections.abc import Iterator

from freqgan.diagnosis.row import Row, note, ok

GIB = 2**30


def gpus() -> Iterator[Row]:
    """A row for the machine, and one for each GPU that PyTorch sees."""
    import torch

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    driver = of_the_driver()
    made_for = f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA"
    if count:
        version = f", driver {driver[0].split(', ')[-1]}" if driver else ""
        yield ok("GPUs", f"{count}; PyTorch is made for {made_for}{version}")
    elif "CUDA_VISIBLE_DEVICES" in os.environ and driver:
        fact = f"hidden by CUDA_VISIBLE_DEVICES={os.environ['CUDA_VISIBLE_DEVICES']}: {'; '.join(driver)}"
        yield note("GPUs", fact, "unset CUDA_VISIBLE_DEVICES to use them")
    elif driver:
        reason = f" ({str(said[0].message).splitlines()[0][:120]})" if said else ""
        fact = f"the driver has {'; '.join(driver)}, but PyTorch, made for {made_for}, uses none{reason}"
        yield note("GPUs", fact, "install the PyTorch for this driver (https://pytorch.org), or a newer driver")
    else:
        yield ok("GPUs", "none; runs use the processor")
    for number in range(count):
        yield _gpu(number)


def _gpu(number: int) -> Row:
    import torch

    facts = torch.cuda.get_device_properties(number)
    free, total = torch.cuda.mem_get_info(number)
    with torch.cuda.device(number):
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    fact = (
        f"{facts.name}, {free / GIB:.1f} GiB free of {total / GIB:.1f}, capability {facts.major}.{facts.minor}, "
        f"{'with' if bf16 else 'without'} bf16"
    )
    if free < total / 2:
        return note(f"GPU {number}", fact, "another program uses it: wait, or choose one with CUDA_VISIBLE_DEVICES")
    return ok(f"GPU {number}", fact)


def of_the_driver() -> list[str]:
    """Name and driver version of every GPU that NVIDIA's own tool lists; empty without it."""
    question = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(question, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()]
