"""A flowchart that contradicts itself is refused, and everything wrong with it is said at once."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import ValidationError

from advisor.errors import AnswersError, FlowchartError
from advisor.estimates.gpus import catalogue as gpus
from advisor.flowchart import Condition, Effect, facts_of, load_flowchart
from advisor.questionnaire import Answers, GpuName, load_answers, parse_answers
from advisor.recommend import recommend


def _chart() -> Any:
    return yaml.safe_load(files("advisor").joinpath("flowchart.yaml").read_text())


def _refused(tmp_path: Path, chart: Any) -> str:
    file = tmp_path / "chart.yaml"
    file.write_text(yaml.safe_dump(chart))
    with pytest.raises(FlowchartError) as caught:
        load_flowchart(file)
    return str(caught.value)


def test_the_built_in_chart_is_sound() -> None:
    assert [node.id for node in load_flowchart().nodes][:3] == [
        "eval-set",
        "place",
        "plain-prompt",
    ]


def test_several_problems_are_listed_together(tmp_path: Path) -> None:
    chart = _chart()
    chart["nodes"].append(
        {
            "id": "island",
            "question": "?",
            "branches": [{"label": "x", "otherwise": True, "next": "end"}],
        }
    )
    effect = chart["nodes"][4]["branches"][0]["effects"][0]
    effect["block"], effect["evidence"] = ["rga"], ["NOBODY99"]
    chart["nodes"][4]["branches"][0]["when"]["answer"] = "knowlege"
    said = _refused(tmp_path, chart)
    assert "4 problem(s)" in said
    assert "'island' cannot be reached" in said
    assert "method 'rga' is unknown" in said
    assert "evidence 'NOBODY99' is unknown" in said
    assert "answer 'knowlege' is unknown" in said


def test_evidence_that_nothing_in_the_built_in_chart_rests_on_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def own(name: str) -> Any:
        text = files("advisor").joinpath(name).read_text()
        if name == "flowchart.yaml":
            text = text.replace("S2-PRETRAIN", "S2-SIMPLE")
        return yaml.safe_load(text)

    monkeypatch.setattr("advisor.flowchart._own", own)
    with pytest.raises(FlowchartError, match="evidence 'S2-PRETRAIN' is not used"):
        load_flowchart()


OWN: dict[str, Any] = {
    "methods": ["zero-shot"],
    "start": "first",
    "nodes": [
        {
            "id": "first",
            "question": "?",
            "branches": [
                {
                    "label": "always",
                    "otherwise": True,
                    "next": "end",
                    "effects": [{"note": "Ask the lawyers.", "evidence": ["LAW", "S2-SIMPLE"]}],
                }
            ],
        }
    ],
    "claims": {"LAW": {"how": "read", "source": "our lawyers", "finding": "They know."}},
}


def test_a_users_chart_brings_claims_and_leaves_built_in_ones_unused(tmp_path: Path) -> None:
    file = tmp_path / "chart.yaml"
    file.write_text(yaml.safe_dump(OWN))
    advice = recommend(Answers(), load_flowchart(file))
    assert advice.claims["LAW"] == "They know. (read: our lawyers)"
    assert set(advice.claims) == {"LAW", "S2-SIMPLE"}
    unused = {**OWN, "claims": {**OWN["claims"], "IDLE": OWN["claims"]["LAW"]}}
    said = _refused(tmp_path, unused)
    assert "1 problem(s)" in said
    assert "evidence 'IDLE' is not used" in said


@pytest.mark.parametrize(
    ("effect", "says"),
    [
        ({"for": ["rag"], "block": ["lora"], "strength": 1, "reason": "?"}, "needs one of"),
        ({"for": ["rag"], "against": ["lora"], "strength": 1, "reason": "?"}, "needs one of"),
        ({"block": ["lora"], "note": "?", "reason": "?"}, "needs one of"),
        ({}, "needs one of"),
        ({"for": ["rag"], "reason": "?"}, "rag: a strength of 1 to 3 is missing"),
        ({"block": ["rag"]}, "rag: a reason is missing"),
        ({"verdict": "no_adaptation"}, "verdict no_adaptation: a text is missing"),
    ],
)
def test_an_effect_says_exactly_one_thing_and_all_of_it(effect: Any, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Effect.model_validate({**effect, "evidence": ["X"]})


def test_a_circle_is_refused(tmp_path: Path) -> None:
    chart = _chart()
    chart["nodes"][-1]["branches"][-1]["next"] = "cost"
    said = _refused(tmp_path, chart)
    assert "lead in a circle" in said
    assert "eval-set" in said


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda node: node["branches"].pop(), "otherwise: true"),
        (lambda node: node["branches"][0].update(when={"answer": "tasks"}), "exactly one of"),
        (lambda node: node["branches"][0].update(next="nowhere"), "'nowhere' is no node"),
        (lambda node: node["branches"][0]["effects"][0].pop("evidence"), "evidence"),
        (lambda node: node["branches"][0].update(colour="red"), "colour"),
    ],
)
def test_a_broken_node_is_named(tmp_path: Path, change: Any, says: str) -> None:
    chart = _chart()
    change(chart["nodes"][0])
    assert says in _refused(tmp_path, chart)


def test_a_text_that_is_no_chart_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "chart.yaml"
    file.write_text("nodes: [")
    with pytest.raises(FlowchartError, match="is no flowchart"):
        load_flowchart(file)


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir], ids=["missing", "folder"])
def test_a_chart_that_cannot_be_read_gives_one_message(tmp_path: Path, make: Any) -> None:
    file = tmp_path / "chart.yaml"
    make(file)
    with pytest.raises(FlowchartError, match="cannot be read"):
        load_flowchart(file)


def test_a_chart_that_is_not_utf8_gives_one_message(tmp_path: Path) -> None:
    file = tmp_path / "chart.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FlowchartError, match="UTF-8"):
        load_flowchart(file)


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ({"answer": "task_kind", "below": 3}, "'task_kind': below 3.0 never fits"),
        ({"answer": "knowledge", "is": "changeing"}, "is or in with none, static, changing"),
        ({"answer": "knowledge", "in": ["static", "no"]}, "in ('static', 'no') never fits"),
        ({"answer": "labelled_examples", "contains": "x"}, "below or at_least with a number"),
        ({"answer": "behaviour", "contains": "rude"}, "contains with one of tone, style"),
        ({"answer": "labels_per_class", "is": "many"}, "is 'many' never fits"),
        ({"answer": "data_may_leave", "is": "no"}, "true, false"),
        ({"answer": "tasks", "at_least_answer": "task_kind"}, "'task_kind' never fits"),
    ],
)
def test_a_comparison_that_never_fits_its_answer_is_named(
    tmp_path: Path, condition: Any, says: str
) -> None:
    chart = _chart()
    chart["nodes"][0]["branches"][0]["when"] = condition
    assert says in _refused(tmp_path, chart)


def test_no_gpu_is_the_same_said_by_memory_or_by_count() -> None:
    none = facts_of(Answers(gpu_count=0, gpu_memory_gib=24, model_parameters=7_000_000_000))
    assert none["gpu_memory_gib"] == 0
    assert none["full_memory_share"] is None


def test_a_comparison_with_what_is_not_known_does_not_hold() -> None:
    facts = facts_of(Answers())
    assert not Condition(answer="tasks", below=5).holds(facts)
    assert not Condition(answer="tasks", at_least=0).holds(facts)
    assert Condition.model_validate({"answer": "tasks", "is": "unknown"}).holds(facts)


KNOWN, FALSE = {"answer": "tasks", "is": 2}, {"answer": "tasks", "below": 2}
UNKNOWN = {"answer": "classes", "below": 5}


@pytest.mark.parametrize(
    ("condition", "truth"),
    [
        (UNKNOWN, None),
        ({"not": UNKNOWN}, None),
        ({"not": FALSE}, True),
        ({"not": {"answer": "classes", "is": "unknown"}}, False),
        ({"answer": "tasks", "at_least_answer": "classes"}, None),
        ({"any": [UNKNOWN, KNOWN]}, True),
        ({"any": [UNKNOWN, FALSE]}, None),
        ({"any": [FALSE, FALSE]}, False),
        ({"all": [UNKNOWN, KNOWN]}, None),
        ({"all": [UNKNOWN, FALSE]}, False),
        ({"all": [KNOWN, KNOWN]}, True),
    ],
)
def test_a_condition_is_true_false_or_not_known_and_so_is_its_not(
    condition: Any, truth: bool | None
) -> None:
    facts = facts_of(Answers(tasks=2))
    assert Condition.model_validate(condition).holds(facts) is (truth is True)
    assert Condition.model_validate({"not": condition}).holds(facts) is (truth is False)


def test_labels_per_class_and_shares_of_memory_follow_from_the_answers() -> None:
    known = Answers(
        labelled_examples=231, classes=77, model="llama-2-7b", gpu_memory_gib=40, gpu_count=2
    )
    facts = facts_of(known)
    assert facts["labels_per_class"] == 3
    # 6.74 billion parameters in 16 bits are 12.55 GiB of 80, in 4 bits 3.6 (design/0009).
    assert 12.55 / 80 < facts["inference_memory_share"] < 18 / 80
    assert 3.6 / 80 < facts["inference_4bit_memory_share"] < 8 / 80
    assert 3.6 / 80 < facts["qlora_memory_share"] < facts["lora_memory_share"] < 18 / 80
    # fp32 weights, gradients and two moments.
    assert facts["full_memory_share"] > 6.738e9 * 16 / 2**30 / 80
    assert facts["model_parameters"] == 6_738_415_616
    assert facts["context_length"] == 4096
    assert facts["knowledge_share"] is None


def test_a_gpus_name_gives_its_memory() -> None:
    # nvidia-smi shows 46,068 MiB.
    assert facts_of(Answers(gpu="L40S"))["gpu_memory_gib"] == pytest.approx(46068 / 1024)
    assert get_args(GpuName) == tuple(gpus())


def test_an_unknown_model_is_refused_with_those_that_are_known() -> None:
    for name in ("gpt-9", "\0", "x" * 200, "/dev/null"):
        with pytest.raises(AnswersError, match="model: "):
            parse_answers({"model": name}, "test")
    assert parse_answers({"model": "gpt-4.1"}, "test").model == "gpt-4.1"


def test_every_wrong_answer_is_listed_with_what_is_allowed(tmp_path: Path) -> None:
    file = tmp_path / "answers.yaml"
    file.write_text("knowledge: sometimes\ntarget_score: 7\nlabels: 3\nbehaviour: [rude]\n")
    with pytest.raises(AnswersError) as caught:
        load_answers(file)
    said = str(caught.value)
    assert "4 problem(s)" in said
    assert "Allowed: none, static, changing" in said
    assert "less than or equal to 1" in said
    assert "labels: there is no such question" in said


@pytest.mark.parametrize(
    "text",
    ["- a\n", "just words", "1: 2", "\x00", "a: [", "? {a: b}\n: c", "queries_per_day: .inf"],
)
def test_a_file_that_is_no_answers_gives_one_message(tmp_path: Path, text: str) -> None:
    file = tmp_path / "answers.yaml"
    file.write_text(text)
    with pytest.raises(AnswersError):
        load_answers(file)


def test_an_empty_file_knows_nothing(tmp_path: Path) -> None:
    file = tmp_path / "answers.yaml"
    file.write_text("# nothing yet\n")
    assert load_answers(file) == Answers() == parse_answers({}, "nothing")
