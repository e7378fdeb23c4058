"""Text of strangers reaches the terminal letter by letter: it moves nothing and hides nothing."""

from __future__ import annotations

import ast
import csv
import io
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest
import yaml

from advisor.cli.app import main
from advisor.cli.screen import bars, screen
from advisor.cli.watching import PlainWatcher
from benchmarks.records import Arm, Failure
from strategies.visible import shell_line, shell_path, shown, visible, visible_json
from tests.cli.test_verify import CHART
from tests.comparison.runs import Made, Material, make_run

ROOT = Path(__file__).resolve().parents[2]
PIECES = (
    "\x1b]0;owned\x07",
    "\x1b[2J",
    "[red]x[/red]",
    "[link=http://evil]x[/link]",
    "\x9b31m",
    "\u202egnp.exe",
    "over\rwritten",
    "[/nonsense]",
    ":smile:",
)
HOSTILE = " ".join(PIECES)
# Runs and arms are folders: a name that no folder has is refused before anything is shown.
NAME = "".join(c for c in HOSTILE if c not in "/\\\x7f" and ord(c) >= 32)
SEEN = (
    r"\x1b]0;owned\x07 \x1b[2J [red]x[/red] [link=http://evil]x[/link] \x9b31m \u202egnp.exe "
    r"over\rwritten [/nonsense] :smile:"
)
# What rich and readline themselves send: styles without links, cursor moves, bracketed paste.
_OF_RICH = re.compile(r"\x1b\[[0-9;]*[mAK]|\x1b\[\?(?:25|2004)[hl]|\r(?=\r*\n|\x1b\[2K)")
_FRAME = re.compile(r"[\s│╭╮╰╯─]+")

Run = Callable[..., str]


def raw(text: str) -> list[str]:
    """Characters that act on a terminal or on the text beside them."""
    acting = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return [c for c in text if unicodedata.category(c) in acting and c not in "\n\t"]


def assert_harmless(said: str, *, names_it: bool = True) -> None:
    """Nothing in it acts, and what was named is there letter by letter, however it was broken."""
    assert raw(said) == []
    assert "MarkupError" not in said and "Traceback" not in said
    if names_it:
        assert _FRAME.sub("", SEEN) in _FRAME.sub("", said)


@pytest.fixture
def advisor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Call the program as its console script does; what it said on both streams."""
    factory, form, hook = logging.getLogRecordFactory(), warnings.formatwarning, sys.excepthook
    monkeypatch.setenv("COLUMNS", "100")

    def call(*arguments: object, exits: int | None = None) -> str:
        monkeypatch.setattr(sys, "argv", ["advisor", *map(str, arguments)])
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        said = capsys.readouterr()
        assert exits is None or code == exits, (code, said)
        return said.out + said.err

    yield call
    logging.setLogRecordFactory(factory)
    warnings.formatwarning, sys.excepthook = form, hook


# ---------------------------------------------------------------- what is typed


@pytest.mark.parametrize(
    "arguments",
    [
        ("{}",),
        ("--{}",),
        ("ask", "--{}"),
        ("ask", "--answers", "{}", "--no-input"),
        ("ask", "--task", "{}", "--no-input"),
        ("ask", "--no-input", "--plan", "{}", "--task", "ticket-triage"),
        ("ask", "--no-input", "--flowchart", "{}"),
        ("ask", "--no-input", "--lang", "{}"),
        ("ask", "--no-input", "--evidence", "{}"),
        ("probe", "{}"),
        ("flowchart", "--flowchart", "{}"),
        ("flowchart", "--format", "{}"),
        ("flowchart", "--out", "{}.svg"),
        ("power", "--discordance", "{}"),
        ("bench", "{}"),
        ("bench", "ticket-triage", "--methods", "{}"),
        ("bench", "ticket-triage", "--seeds", "{}"),
        ("bench", "ticket-triage", "--shard", "{}"),
        ("bench", "--resume", "{}"),
        ("merge", "{}", "--out", "out"),
        ("report", "{}"),
        ("compare", "{}", "{}"),
        ("reproduce", "{}"),
        ("watch", "{}", "--with", "x.jsonl"),
        ("verify", "{}"),
        ("tasks", "{}"),
        ("methods", "{}"),
        ("init", "made", "--from", "{}.csv"),
        ("init", "made", "--from", "x.csv", "--kind", "{}"),
        ("models", "{}"),
        ("models", "pull", "{}"),
        ("models", "remove", "{}"),
        ("models", "info", "./{}"),
        ("estimate", "{}"),
        ("estimate", "--model", "{}"),
    ],
    ids=" ".join,
)
def test_what_is_typed_is_said_back_harmlessly(
    advisor: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    said = advisor(*(argument.replace("{}", HOSTILE) for argument in arguments))
    assert said
    assert_harmless(said, names_it=False)
    # It was named, in some form: as it is seen, or quoted by repr.
    said = _FRAME.sub("", said)
    assert "owned" in said or "unexpectedextra" in said or "Nosuchoption" in said


def test_a_language_that_the_environment_names_is_said_back_harmlessly(
    advisor: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADVISOR_LANG", HOSTILE.replace("\x00", ""))
    assert_harmless(advisor("ask", "--no-input", exits=2), names_it=False)
    assert_harmless(advisor("ask", "--help", exits=0), names_it=False)


# ---------------------------------------------------------------- what is read


def dumped(path: Path, data: object) -> Path:
    path.write_text(yaml.safe_dump(data, allow_unicode=False), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "answers", [{HOSTILE: 3}, {"classes": HOSTILE}, {"model": HOSTILE}, {"behaviour": [HOSTILE]}]
)
def test_keys_and_values_of_answers_are_shown_harmlessly(
    advisor: Run, tmp_path: Path, answers: dict[str, object]
) -> None:
    assert_harmless(
        advisor("ask", "--no-input", "--answers", dumped(tmp_path / "a.yaml", answers)),
        names_it=False,
    )


def hostile_chart(tmp_path: Path) -> Path:
    """A flowchart whose every text is hostile."""
    chart = yaml.safe_load(CHART)
    for node in chart["nodes"]:
        node["question"] = f"Are there {HOSTILE}?"
        for branch in node["branches"]:
            branch["label"] = f"{branch['label']} {HOSTILE}"
            for effect in branch["effects"]:
                effect["reason"] = HOSTILE
    chart["claims"]["MINE"] |= {"source": HOSTILE, "finding": HOSTILE}
    return dumped(tmp_path / "chart.yaml", chart)


@pytest.mark.parametrize("form", ["text", "mermaid", "svg"])
@pytest.mark.parametrize("to_a_file", [False, True])
def test_a_drawing_of_a_strangers_flowchart_holds_no_control_character(
    advisor: Run, tmp_path: Path, form: str, to_a_file: bool
) -> None:
    out = tmp_path / "drawn"
    options = ("--out", out) if to_a_file else ()
    said = advisor(
        "flowchart", "--flowchart", hostile_chart(tmp_path), "-f", form, *options, exits=0
    )
    drawn = out.read_text(encoding="utf-8") if to_a_file else said
    assert "owned" in drawn
    assert_harmless(drawn, names_it=False)


def test_advice_of_a_strangers_flowchart_is_harmless_as_lines_json_and_record(
    advisor: Run, tmp_path: Path
) -> None:
    chart, record = hostile_chart(tmp_path), tmp_path / "advice.md"
    call = ("ask", "--no-input", "--flowchart", chart)
    assert_harmless(advisor(*call, "--report", record, exits=0))
    assert_harmless(record.read_text(encoding="utf-8"))
    told = advisor(*call, "--json", exits=0)
    assert raw(told) == []
    # As JSON it reads as the very text of the flowchart.
    assert json.loads(told)["claims"]["MINE"].count(HOSTILE) >= 1


def hostile_task(tmp_path: Path) -> Path:
    """A copy of a bundled task with a hostile title, source, label and item."""
    folder = tmp_path / "task"
    shutil.copytree(ROOT / "benchmarks" / "tasks" / "bundled" / "ticket-triage", folder)
    spec = yaml.safe_load((folder / "task.yaml").read_text(encoding="utf-8"))
    del spec["hashes"]
    spec |= {"id": "mine", "title": HOSTILE, "source": HOSTILE, "licence": HOSTILE}
    dumped(folder / "task.yaml", spec)
    return folder


def test_the_card_of_a_strangers_task_is_harmless(advisor: Run, tmp_path: Path) -> None:
    folder = hostile_task(tmp_path)
    said = advisor("tasks", folder)
    assert_harmless(said)
    if "title:" in said:
        told = advisor("tasks", folder, "--json", exits=0)
        assert raw(told) == [] and json.loads(told)["title"] == HOSTILE


def test_columns_and_labels_of_a_table_are_shown_harmlessly(advisor: Run, tmp_path: Path) -> None:
    file = tmp_path / "lines.csv"
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([HOSTILE.replace("\r", ""), "label"])
    rows = [
        (f"line {n} of the table", "yes" if n % 2 else f"no {PIECES[n % 7]}") for n in range(60)
    ]
    writer.writerows(rows)
    file.write_text(text.getvalue(), encoding="utf-8", newline="")
    # No column has a usual name: the message lists the headers.
    listed = advisor("init", tmp_path / "made", "--from", file)
    assert "owned" in listed
    assert_harmless(listed, names_it=False)
    named = ("--input-column", HOSTILE.replace("\r", ""), "--output-column", "label")
    assert_harmless(advisor("init", tmp_path / "m", "--from", file, *named), names_it=False)


@pytest.mark.parametrize("terminal", [False, True])
def test_runs_of_strangers_are_compared_and_reported_harmlessly(
    advisor: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    monkeypatch.setattr("advisor.cli.tables.on_terminal", lambda: terminal)
    items = [1.0, 0.0] * 10
    arms = [
        Made("lora", items, predictions=[HOSTILE] * 20),
        Made("rag", items[::-1], reason=HOSTILE),
        Made("full", status="failed", failure=Failure(kind=HOSTILE, message=HOSTILE)),
    ]
    for name, model in (("a", "tiny"), ("b", HOSTILE)):
        material = Material(model=model, task=HOSTILE, title=HOSTILE, run_id=NAME)
        make_run(tmp_path / name, arms, material)
    runs = (tmp_path / "a", tmp_path / "b")
    assert_harmless(advisor("compare", *runs, exits=0))
    told = advisor("compare", *runs, "--json", exits=0)
    assert raw(told) == [] and json.loads(told)["run_a"]["task"]["id"] == HOSTILE
    assert_harmless(advisor("verify", *runs), names_it=False)
    assert_harmless(advisor("ask", "--no-input", "--evidence", tmp_path), names_it=False)
    for form in ("md", "html"):
        assert_harmless(advisor("report", runs[0], "-f", form, exits=0), names_it=False)
        # A browser and a pager of Markdown are given no control character either.
        assert raw((runs[0] / f"report.{form}").read_text(encoding="utf-8")) == []


def test_a_run_whose_records_are_damaged_with_escapes_is_told_harmlessly(
    advisor: Run, tmp_path: Path
) -> None:
    make_run(tmp_path / "r", [Made("lora", [1.0, 0.0] * 6)])
    (tmp_path / "r" / "run.json").write_text(json.dumps({HOSTILE: 1}), encoding="utf-8")
    assert_harmless(advisor("report", tmp_path / "r", exits=6), names_it=False)


def test_a_strangers_model_is_looked_at_harmlessly(advisor: Run, tmp_path: Path) -> None:
    folder = tmp_path / HOSTILE.replace("/", "|")
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": HOSTILE, HOSTILE: 576}))
    (folder / "model.safetensors").touch()
    assert_harmless(advisor("models", "info", folder))
    assert_harmless(advisor("models", "info", folder, "-q"), names_it=False)


def test_the_origin_of_a_converted_model_is_listed_harmlessly(advisor: Run, tmp_path: Path) -> None:
    folder = tmp_path / "home" / "models" / "gguf-x"
    folder.mkdir(parents=True)
    (folder / "origin.json").write_text(json.dumps({"source": HOSTILE}))
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").touch()
    assert_harmless(advisor("models", "list", exits=0))


def test_a_bug_whose_message_is_hostile_keeps_its_traceback_without_escapes() -> None:
    script = (
        "import sys, logging, warnings\n"
        "from advisor.cli import app\n"
        "def bug():\n"
        "    logging.getLogger('transformers').warning('model of type %s', TEXT)\n"
        "    warnings.warn(TEXT)\n"
        "    raise ValueError(TEXT)\n"
        f"TEXT = {HOSTILE!r}\n"
        "app.app = bug\n"
        "app.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert raw(done.stderr) == []
    assert done.stderr.count(SEEN) >= 3


# ---------------------------------------------------------------- how a run moves on


def test_plain_progress_of_a_hostile_arm_is_one_harmless_line() -> None:
    text = io.StringIO()
    watcher = PlainWatcher(screen(file=text))
    failed = Failure(kind="ValueError", message=f"{HOSTILE}\nlora-s0: accuracy 1.000")
    watcher.started(Arm(name=NAME), 1, 2)
    watcher.advanced(Arm(name=NAME), HOSTILE, 1, 3)
    watcher.ended(Arm(name=NAME, status="failed", failure=failed))
    assert_harmless(text.getvalue())
    # A second line in the message does not pass for a result.
    assert "\nlora-s0: accuracy" not in text.getvalue()


def test_bars_read_no_markup_in_their_descriptions() -> None:
    text = io.StringIO()
    with bars(screen(file=text), transient=False) as progress:
        progress.add_task(HOSTILE, total=1)
    assert_harmless(text.getvalue())


_ON_A_TERMINAL = """
import sys
from advisor.cli import tables
from advisor.cli.output import remark, tell
from advisor.cli.screen import screen
from advisor.cli.watching import LiveWatcher, live
from benchmarks.records import Arm, Failure
from rich.text import Text
on = screen()
assert on.is_terminal
with live(on) as progress:
    watcher = LiveWatcher(progress)
    arm = Arm(name=NAME, status="failed", failure=Failure(kind="x", message=TEXT))
    watcher.started(arm, 1, 1)
    watcher.advanced(arm, TEXT, 1, 2)
    progress.refresh()
    watcher.ended(arm)
tables.show(("name", TEXT), [(TEXT, "1")])
on.print(TEXT, style="bold")
on.print(Text(TEXT, style="link http://evil"))
tell(TEXT)
remark(TEXT)
"""


def on_a_terminal(*arguments: str) -> str:
    """What the program sends to a real pseudo-terminal, without what rich itself sends."""
    said, _ = pexpect.run(
        shell_line([sys.executable, *arguments]),
        encoding="utf-8",
        withexitstatus=True,
        timeout=60,
        cwd=str(ROOT),
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "400", "PYTHONPATH": str(ROOT)},
    )
    assert "\x1b[" in said, "rich has to see a terminal here"
    return _OF_RICH.sub("", said)


def test_on_a_real_terminal_bars_tables_and_texts_are_harmless(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"TEXT = {HOSTILE!r}\nNAME = {NAME!r}\n{_ON_A_TERMINAL}", encoding="utf-8")
    said = on_a_terminal(str(script))
    assert_harmless(said)
    assert said.count(r"\x1b]0;owned\x07") >= 7
    # Red as a style, not as a word, would have been sent as an escape that is not ours.
    assert said.count("[red]x[/red]") >= 7


def test_on_a_real_terminal_advice_and_drawing_of_a_strangers_flowchart_are_harmless(
    tmp_path: Path,
) -> None:
    chart = str(hostile_chart(tmp_path))
    answers = str(ROOT / "examples" / "answers-triage.yaml")
    program = ("-m", "advisor.cli.app")
    asked = on_a_terminal(*program, "ask", "--no-input", "--flowchart", chart, "--answers", answers)
    assert "owned" in asked
    assert_harmless(asked, names_it=False)
    drawn = on_a_terminal(*program, "flowchart", "--flowchart", chart, "--answers", answers)
    assert "owned" in drawn
    assert_harmless(drawn, names_it=False)


# ---------------------------------------------------------------- the characters themselves


def test_clean_text_of_every_script_is_left_as_it_is() -> None:
    latin = ("naïve – “quoted”", "a\n\tb", "日本語　です")
    for text in (*latin, "क्\u200dष", "می\u200cخواهم", "👩\u200d👧 ok", "نص עברית"):
        assert visible(text) == text
        assert visible_json(json.dumps(text, ensure_ascii=False)) == json.dumps(
            text, ensure_ascii=False
        )


def test_every_control_and_format_character_but_the_joiners_has_a_code() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        kept = character in "\n\t\u200c\u200d"
        acts = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        if acts and not kept:
            assert visible(character).isascii(), hex(code)
            assert json.loads(visible_json(f'"{character}"'), strict=False) == character or (
                code < 0x20  # JSON never holds these but as escapes of its own.
            )


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("runs/a", "runs/a"),
        ("my runs/a", "'my runs/a'"),
        ("-rf", "./-rf"),
        ("a\nb", r"$'a\nb'"),
        ("it's\x1b[2J", r"$'it\'s\x1b[2J'"),
        ("back\\slash\r", r"$'back\\slash\r'"),
    ],
)
def test_a_path_in_a_suggested_command_is_one_word_of_a_shell(path: str, word: str) -> None:
    assert shell_path(path) == word


@pytest.mark.parametrize(
    "name", [*PIECES, "-n", "a\nb", "it's", "\\", '$(x) `y` "z"', "é\u202e日\t"]
)
def test_a_shell_reads_the_word_back_as_the_name(name: str) -> None:
    word = shell_path(name)
    assert raw(word) == [] and "\n" not in word
    read = subprocess.run(
        ["bash", "-c", f"printf %s {word}"],
        capture_output=True,
        check=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    ).stdout.decode()
    assert read.removeprefix("./") == name


def test_a_name_with_a_line_break_is_shown_in_one_line() -> None:
    assert shown(Path("a\nReport: b")) == r"a\nReport: b"


def test_a_file_name_that_is_no_utf_8_is_shown_and_breaks_nothing(
    advisor: Run, tmp_path: Path
) -> None:
    name = os.fsdecode(b"caf\xe9.csv")
    said = advisor("init", tmp_path / "made", "--from", tmp_path / name)
    assert r"caf\udce9.csv" in said


# ---------------------------------------------------------------- the class stays closed

# Programs of developers, which print constants of ours; the worker writes to its arm's log.
_ELSEWHERE = {
    "benchmarks/speed/__main__.py",
    "benchmarks/simulation/__main__.py",
    "benchmarks/rate_study.py",
    "benchmarks/tasks/authoring.py",
    "benchmarks/forking.py",
    "benchmarks/worker.py",
    # Two processes of our own, which answer their parent on a pipe.
    "benchmarks/tasks/limited_child.py",
    "strategies/chat_template_process.py",
}
_THE_WAY_OUT = {"advisor/cli/output.py", "advisor/cli/screen.py"}
_PRINTERS = {
    "print", "echo", "secho", "Console", "Progress", "Live", "Status", "TextColumn", "rprint",
    "SpinnerColumn", "print_exc", "print_exception", "set_window_title", "confirm", "launch",
    "from_markup", "render_markup", "track", "pprint", "print_json",
}  # fmt: skip


def printing(source: str) -> list[str]:
    """Calls by which a module would print on its own."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name, of = node.func, ""
        if isinstance(name, ast.Attribute):
            of, called = ast.unparse(name.value), name.attr
        else:
            called = name.id if isinstance(name, ast.Name) else ""
        streams = of in ("sys.stdout", "sys.stderr", "sys.stdout.buffer", "sys.stderr.buffer")
        ours = called == "print" and of and of.rpartition(".")[2] not in ("typer", "rich")
        prompts = called == "prompt" and of in ("typer", "click")
        if (called in _PRINTERS and not ours) or (streams and called == "write") or prompts:
            found.append(f"{node.lineno}: {ast.unparse(node.func)}")
    return found


@pytest.mark.parametrize(
    "source",
    [
        "print(1)",
        "typer.echo(1)",
        "sys.stderr.write('x')",
        "rich.print('x')",
        "Console()",
        "rich.console.Console()",
        "typer.prompt('x')",
        "Progress(TextColumn('{task.description}'))",
        "traceback.print_exc()",
    ],
)
def test_a_print_of_ones_own_would_be_found(source: str) -> None:
    assert printing(source)
    assert not printing("self._console.print('x')\nscreen().print(table)\nsys.stdout.flush()")


def test_only_two_modules_print() -> None:
    """Use `advisor.cli.output` for plain text and `advisor.cli.screen` for rich."""
    found = {}
    for package in ("advisor", "benchmarks", "strategies"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if name not in _ELSEWHERE | _THE_WAY_OUT:
                calls = printing(path.read_text(encoding="utf-8"))
                if calls:
                    found[name] = calls
    assert found == {}
