"""Where the numbers are measured: processor, memory, GPU, library versions."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.fingerprint import Setting
from benchmarks.plan import Plan
from benchmarks.records import Environment
from strategies.settings import Precision

# Those whose code takes part in an answer: trained weights and answers are not reused across them.
LIBRARIES = (
    "torch",
    "transformers",
    "tokenizers",
    "peft",
    "accelerate",
    "langchain-core",
    "langchain-text-splitters",
    "faiss-cpu",
    "sentence-transformers",
    "scikit-learn",
    "lm_eval",
)
# Those that take part in a score alone; an arm's fingerprint holds them as well.
FURTHER_LIBRARIES = ("numpy", "rouge-score", "sacrebleu", "scipy", "statsmodels")


def collect(precision: Precision, threads: int) -> Environment:
    """This machine and this Python, with the precision and threads that a run will use."""
    import psutil

    return Environment(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        cpu=cpu_name(),
        cores=allowed_cores(),
        threads=threads,
        memory_bytes=psutil.virtual_memory().total,
        gpu=gpu_name(),
        precision=precision,
        libraries=library_versions(LIBRARIES + FURTHER_LIBRARIES),
    )


def library_versions(names: Sequence[str] = LIBRARIES) -> dict[str, str]:
    """Installed version of every library; one that is missing is left out."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def allowed_cores() -> int:
    """Physical cores that this process may use, at least 1."""
    import psutil

    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed))


def changes(then: Mapping[str, str | None], now: Mapping[str, str | None]) -> list[str]:
    """Every difference, as ``name: then -> now``; None is what one side does not have."""
    return [
        f"{name}: {then.get(name)} -> {now.get(name)}"
        for name in {**then, **now}
        if then.get(name) != now.get(name)
    ]


def cpu_name() -> str:
    """Model name of the processor, as the system gives it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def gpu_name() -> str | None:
    """Name of the CUDA device that is used, or None."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def peak_memory_bytes() -> int:
    """Peak memory of this process so far: of the GPU when one is used, else resident memory.

    Source: getrusage(2): ru_maxrss counts KiB on Linux and bytes on macOS.
    """
    import resource

    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def setting_of(plan: Plan, model_sha256: str, embedder_sha256: str) -> Setting:
    """What all arms of a resolved plan share, as fingerprints need it."""
    if plan.precision == "auto" or plan.threads is None:
        raise TypeError("a plan is resolved before it is fingerprinted")
    return Setting(
        model_sha256=model_sha256,
        embedder_sha256=embedder_sha256,
        precision=plan.precision,
        threads=plan.threads,
        device=gpu_name() or "cpu",
        libraries=library_versions(),
    )
