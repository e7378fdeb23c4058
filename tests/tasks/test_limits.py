"""SQL that a model wrote and patterns out of a task's files end in time, in a process apart."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.tasks import checks, limited_process, loading, sql
from benchmarks.tasks.checks import Check, found_in
from benchmarks.tasks.loading import load_folder
from strategies.errors import DataError

EVIL = "^(a+)+$"
VICTIM = "a" * 40 + "!"
ENDLESS = "select instr(zeroblob(1000000), zeroblob(500000) || x'01')"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "a shop.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("create table t(a, b); insert into t values (1, 'x'), (2, 'y');")
    return path


@pytest.fixture
def short_limit(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(checks, "PATTERN_LIMIT_SECONDS", 0.5)
    found_in.cache_clear()
    yield
    found_in.cache_clear()


# --- SQL -------------------------------------------------------------------------------------


def _long(count: int) -> str:
    return f"replace(hex(zeroblob({count})), '0', 'a')"


@pytest.mark.parametrize(
    "query",
    [
        ENDLESS,
        "select " + " + ".join([f"({_long(400_000)} like '%' || {_long(400)} || 'b')"] * 30),
        "select " + " + ".join([f"({_long(400_000)} glob '*' || {_long(400)} || 'b')"] * 30),
        "with recursive n(x) as (select 1 union all select x + 1 from n) "
        f"select count(replace({_long(400_000)}, 'aaa', x)) from n",
        "select " + ", ".join(["zeroblob(1000000)"] * 200),
        "select a.a from t a, t b, t c where a.a = zeroblob(1000001)",
    ],
    ids=lambda query: query[:40],
)
def test_a_query_ends_in_time_whatever_it_asks_and_the_next_one_is_answered(
    database: Path, query: str
) -> None:
    begun = time.monotonic()
    assert sql.rows(database, query, seconds=0.3) is None
    assert time.monotonic() - begun < 10
    assert sql.rows(database, "select a, b from t") == [(1, "x"), (2, "y")]


def test_a_query_that_needs_much_memory_fails(database: Path) -> None:
    pytest.importorskip("resource")
    numbers = "with recursive n(x) as (select 1 union all select x + 1 from n where x < 5000)"
    assert sql.rows(database, f"{numbers} select x from n order by zeroblob(999999), x") is None
    assert sql.rows(database, "select 1") == [(1,)]


def test_a_result_of_too_many_bytes_fails(database: Path) -> None:
    large = "with recursive n(x) as (select 1 union all select x + 1 from n where x < 30) select "
    assert sql.rows(database, large + "zeroblob(900000) from n") is None
    assert sql.rows(database, large + "zeroblob(9) from n") == [(bytes(9),)] * 30


def test_every_kind_of_value_comes_back_as_sqlite_has_it(database: Path) -> None:
    values = "x'00ff', null, 9e999, 'é\u2028\"', 0.1, -9223372036854775808, ''"
    expected = (b"\x00\xff", None, math.inf, 'é\u2028"', 0.1, -(2**63), "")
    assert sql.rows(database, f"select {values}") == [expected]


@pytest.mark.parametrize(
    "query",
    ["attach 'x.db' as x", "select load_extension('x')", "pragma user_version", "vacuum",
     "create table s(a)", "insert into t values (3, 'z')", "create temp table s(a)"],
)  # fmt: skip
def test_a_query_reads_and_does_nothing_else(database: Path, query: str) -> None:
    before = database.read_bytes()
    assert sql.rows(database, query) is None
    assert database.read_bytes() == before


def test_a_database_that_is_missing_is_an_error_and_no_wrong_answer(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        sql.rows(tmp_path / "none.sqlite", "select 1")


# --- the process -----------------------------------------------------------------------------


def test_one_process_serves_all_queries(database: Path) -> None:
    pids = set()
    for _ in range(5):
        sql.rows(database, "select 1")
        process = limited_process.limited_process()._process
        assert process is not None
        pids.add(process.pid)
    assert len(pids) == 1


def test_the_process_holds_no_file_of_its_parent(database: Path, tmp_path: Path) -> None:
    if not Path("/proc").is_dir():
        pytest.skip("needs /proc")
    limited_process.limited_process().close()
    with (tmp_path / "lock").open("w") as lock:
        os.set_inheritable(lock.fileno(), True)
        sql.rows(database, "select 1")
    process = limited_process.limited_process()._process
    assert process is not None
    held = [str(link.readlink()) for link in Path(f"/proc/{process.pid}/fd").iterdir()]
    assert str(tmp_path / "lock") not in held


_PARENT = """
import json, sys, threading, time
from pathlib import Path
from benchmarks.tasks import sql
from benchmarks.tasks.limited_process import limited_process
database, query = Path(sys.argv[1]), sys.argv[2]
sql.rows(database, "select 1")
print(limited_process()._process.pid, flush=True)
if query:
    sql.rows(database, query, seconds=1)
time.sleep(60)
"""


@pytest.mark.parametrize("query", ["", ENDLESS])
def test_the_process_ends_after_its_parent_was_killed(database: Path, query: str) -> None:
    if query:
        pytest.importorskip("resource")
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(database), query], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    time.sleep(0.2)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 30
    while time.monotonic() < end and _runs(pid):
        time.sleep(0.1)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    # Where nobody collects orphans, one that has ended is still listed.
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


def _asked_in_a_copy(database: str) -> None:
    rows = sql.rows(Path(database), "select a from t")
    process = limited_process.limited_process()._process
    assert process is not None
    Path(database + ".json").write_text(json.dumps([rows, process.pid]))
    limited_process.limited_process().close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_copy_has_a_process_of_its_own(database: Path) -> None:
    sql.rows(database, "select 1")
    process = limited_process.limited_process()._process
    copy = multiprocessing.get_context("fork").Process(
        target=_asked_in_a_copy, args=(str(database),)
    )
    copy.start()
    copy.join()
    rows, pid = json.loads(Path(f"{database}.json").read_text())
    assert process is not None
    assert rows == [[1], [2]] and pid != process.pid
    assert sql.rows(database, "select a from t") == [(1,), (2,)]


# --- patterns --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["matches", "lacks_pattern"])
def test_a_pattern_without_end_is_an_error_that_names_it(short_limit: None, kind: str) -> None:
    check = Check(name="c", kind=kind, pattern=EVIL)
    begun = time.monotonic()
    with pytest.raises(DataError, match=re.escape(repr(EVIL))):
        check.holds(VICTIM)
    assert time.monotonic() - begun < 10
    assert Check(name="c", kind="matches", pattern="^a+!$").holds(VICTIM)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"^\w+$", "हिन्दी"), (r"^\w+$", "naïve"), (r"\s", "\x1c"), (r"\d", "²"), (r"^b$", "a\nb"),
        (r"a{e}", "abc"), (r"(?i)straße", "STRASSE"), (r"[[a]]", "a]"), (r"(?<=a)b", "ab"),
        (r"(a)?b(?(1)c|d)", "bd"), (r"\Aa\Z", "a\n"), ("\ud800", "a\ud800"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
def test_a_pattern_means_what_it_means_in_python(pattern: str, text: str) -> None:
    check = Check(name="c", kind="matches", pattern=pattern)
    assert check.holds(text) == (re.search(pattern, text, re.MULTILINE) is not None)


def test_a_pattern_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than 10,000 characters"):
        Check(name="c", kind="matches", pattern="a" * 10_001)


@pytest.mark.parametrize("place", ["task.yaml", "test.jsonl"])
def test_a_pattern_without_end_is_named_when_the_task_is_loaded(
    tmp_path: Path, short_limit: None, place: str
) -> None:
    bad = [{"name": "c", "kind": "matches", "pattern": r"(\w+\s?)*$x"}]
    good = [{"name": "c", "kind": "matches", "pattern": r"^Hello \w+"}]
    shared, own = (bad, good) if place == "task.yaml" else (good, bad)
    spec = {
        "id": "t", "title": "T", "kind": "generation", "instruction": "Write.",
        "metric": "checks", "checks": shared, "licence": "own", "source": "own",
    }  # fmt: skip
    (tmp_path / "task.yaml").write_text(json.dumps(spec))
    line = {"input": "x", "output": "y", "checks": own}
    (tmp_path / "test.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(DataError, match=re.escape(place) + ".*pattern.*takes more than") as caught:
        load_folder(tmp_path)
    assert str(caught.value).startswith(f"Task folder {tmp_path}: 1 problem.")


# Python compiles each of these classes in 12 milliseconds, as it lists their letters.
SLOW_TO_COMPILE = "(?i)" + r"[\x00-\uffff]" * 700


@pytest.fixture
def fresh_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(checks._Compiling, "spent", 0.0)
    checks._why_not_compiled.cache_clear()
    yield
    checks._why_not_compiled.cache_clear()


def test_a_pattern_that_takes_long_to_compile_is_refused_in_time(
    fresh_clock: None, short_limit: None
) -> None:
    begun = time.monotonic()
    with pytest.raises(ValueError, match=r"takes more than 0\.5 seconds to compile"):
        Check(name="c", kind="matches", pattern=SLOW_TO_COMPILE)
    assert time.monotonic() - begun < 5


def test_many_patterns_that_each_compile_in_time_are_refused_together(
    fresh_clock: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "COMPILING_LIMIT_SECONDS", 0.05)
    with pytest.raises(ValueError, match="comes after others that took too long"):
        for number in range(100):
            Check(name="c", kind="matches", pattern=SLOW_TO_COMPILE[: 4 + 13 * 10] + str(number))


def test_a_pattern_that_does_not_compile_says_why(fresh_clock: None) -> None:
    for pattern, why in (
        ("(a", "missing \\)"),
        ("a{99999999999}", "repetition number is too large"),
    ):
        with pytest.raises(ValueError, match=why):
            Check(name="c", kind="matches", pattern=pattern)


def test_trying_the_patterns_of_a_task_ends_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "PATTERNS_LIMIT_SECONDS", 0.0)
    spec = {
        "id": "t", "title": "T", "kind": "generation", "instruction": "Write.",
        "metric": "checks", "licence": "own", "source": "own",
        "checks": [{"name": "c", "kind": "matches", "pattern": "a+b"}],
    }  # fmt: skip
    (tmp_path / "task.yaml").write_text(json.dumps(spec))
    (tmp_path / "test.jsonl").write_text('{"input": "x", "output": "y"}\n')
    with pytest.raises(DataError, match="the patterns up to here took more than 0 seconds"):
        load_folder(tmp_path)
