"""Runs a case pair by pair, each side in a process of its own, and keeps what came out."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.speed.case import Agreement, Case, Outcome, Setting, SideName
from benchmarks.store import read_record, write_record
from strategies.data import Frozen
from strategies.errors import RunError

_LARGEST_BATCH = 128


class Timing(Frozen):
    """Seconds and peak memory of one side, without its answers."""

    seconds: float
    peak_memory_bytes: int


class Pair(Frozen):
    """The peer and ours, one after the other, and how far their answers agree."""

    peer: Timing
    ours: Timing
    agreement: Agreement

    @property
    def ratio(self) -> float:
        """How many times longer the peer took."""
        return self.peer.seconds / self.ours.seconds

    @property
    def memory_ratio(self) -> float:
        """Our peak memory as a share of the peer's."""
        return self.ours.peak_memory_bytes / self.peer.peak_memory_bytes


class Measured(Frozen):
    """All pairs of a case at one setting."""

    case: str
    setting: Setting
    pairs: tuple[Pair, ...] = ()


def measure_pairs(
    case: Case, setting: Setting, wanted: int, folder: Path, say: Callable[[str], None]
) -> Measured:
    """Pairs of a case until there are as many as wanted; finished ones are not repeated.

    Args:
        case: what both sides do.
        setting: what they share.
        wanted: how many pairs.
        folder: where finished pairs are kept.
        say: told of every pair.
    """
    file = _file(case, setting, folder)
    known = measured_before(case, setting, folder)
    if known is not None and known.setting == setting:
        measured = known
    else:
        measured = Measured(case=case.name, setting=setting)
    while len(measured.pairs) < wanted:
        # Who goes first changes from pair to pair, so that a drift of the machine favours none.
        order: tuple[SideName, SideName] = (
            ("peer", "ours") if len(measured.pairs) % 2 == 0 else ("ours", "peer")
        )
        found = {side: _outcome(case.name, side, setting) for side in order}
        pair = Pair(
            peer=_timing(found["peer"]),
            ours=_timing(found["ours"]),
            agreement=case.agree(found["peer"].answers, found["ours"].answers),
        )
        measured = measured.model_copy(update={"pairs": (*measured.pairs, pair)})
        write_record(file, measured)
        say(
            f"{case.name} {setting.precision} pair {len(measured.pairs)} of {wanted}: "
            f"{pair.peer.seconds:.2f} s against {pair.ours.seconds:.2f} s, {pair.ratio:.1f} times, "
            f"memory {pair.memory_ratio:.2f}, unlike {len(pair.agreement.unlike)}"
        )
    return measured


def measured_before(case: Case, setting: Setting, folder: Path) -> Measured | None:
    """What an earlier call measured at this setting, whatever the peer's batch size."""
    file = _file(case, setting, folder)
    if not file.exists():
        return None
    found = read_record(file, Measured)
    size = {"peer_batch_size": setting.peer_batch_size}
    return found if found.setting.model_copy(update=size) == setting else None


def _file(case: Case, setting: Setting, folder: Path) -> Path:
    return folder / f"{case.name}-{setting.precision}.json"


def best_batch_size(case: Case, setting: Setting, say: Callable[[str], None]) -> int:
    """The batch size at which the peer is fastest on the whole case.

    It is doubled until two doublings in a row have made it no faster.
    """
    if case.peer_batch_size is not None:
        return case.peer_batch_size
    seconds: dict[int, float] = {}
    size = best = 2
    while size <= min(_LARGEST_BATCH, 4 * best) and size < 2 * setting.items:
        tried = setting.model_copy(update={"peer_batch_size": size})
        seconds[size] = _outcome(case.name, "peer", tried).seconds
        say(f"{case.name}: the peer takes {seconds[size]:.2f} s in batches of {size}")
        best = min(seconds, key=seconds.__getitem__)
        size *= 2
    return best


def _timing(outcome: Outcome) -> Timing:
    return Timing(seconds=outcome.seconds, peak_memory_bytes=outcome.peak_memory_bytes)


def _outcome(case: str, side: SideName, setting: Setting) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        given, out = Path(folder) / "setting.json", Path(folder) / "outcome.json"
        write_record(given, setting)
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.speed.side", case, side, str(given), str(out)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RunError(f"{case}, {side}: {done.stderr[-2000:]}")
        return read_record(out, Outcome)
