"""What a report says of training."""

from __future__ import annotations

from pathlib import Path

from benchmarks.comparison import compare
from benchmarks.records import CurvePoint
from benchmarks.report.content import report_blocks
from benchmarks.report.markdown import markdown_text
from strategies.training_record import RateTrial
from tests.comparison.runs import Made, make_run, trained


def report(folder: Path, arms: list[Made]) -> str:
    text = markdown_text(report_blocks(compare(make_run(folder, arms)), ()), "figures")
    return text.replace("&#42;", "*")


def test_a_training_that_did_not_improve_is_said_in_short_and_in_its_row(tmp_path: Path) -> None:
    arms = [
        Made("zero-shot", [1.0] * 30 + [0.0] * 10),
        Made("lora", [1.0] * 5 + [0.0] * 35, training=trained(improved=False)),
    ]
    text = report(tmp_path / "r", arms)
    in_short = text.partition("## In short")[2].partition("##")[0]
    assert "the training of lora did not improve on the start" in in_short
    assert "| <code>lora</code> (training did not improve on the start) | 0.125" in in_short
    findings = text.partition("## Findings")[2].partition("##")[0]
    assert "**lora: training did not improve on the start**" in findings
    assert "no conclusion is drawn from it" in findings
    assert "behind; training did not improve on the start" in text
    # Its three trainings, each at a quarter of the rate before.
    assert "0.0004 (loss 2.400, metric 0.100), 0.0001" in text
    assert "| 2.000 | 2.400 | 0.500 | 0.100 | 3 | no |" in text


def test_how_the_learning_rate_was_settled_and_how_weak_that_is_is_said(tmp_path: Path) -> None:
    arms = [
        Made("zero-shot", [0.0] * 40),
        Made("lora", [1.0] * 40, training=trained(improved=True, items=24)),
    ]
    text = report(tmp_path / "r", arms)
    assert "did not improve on the start**" not in text
    assert "a range test of 20 steps a rate, 15 s in all, tried 0.0001 (1.600)" in text
    assert "chose 0.0004; the first guess was 0.0001." in text
    assert "It was chosen on 24 validation items, which is few." in text
    assert "with a standard error of 0.080: the two are not separated." in text


def test_a_lower_rate_is_explained_by_its_own_loss_not_by_the_second_lowest(
    tmp_path: Path,
) -> None:
    # The second lowest loss is that of a higher rate and far off; the lower rate is near.
    record = trained(improved=True)
    assert record.choice is not None
    choice = record.choice.model_copy(
        update={
            "rate": 1e-4,
            "trials": tuple(
                RateTrial(rate=rate, loss=loss, seconds=1.0)
                for rate, loss in ((1e-4, 1.62), (4e-4, 1.5), (1.6e-3, 1.6))
            ),
            "margin": 0.1,
            "margin_error": 0.01,
        }
    )
    record = record.model_copy(update={"choice": choice})
    text = report(tmp_path / "r", [Made("lora", [1.0] * 40, training=record)])
    assert "The next lower rate was taken: its loss is within one standard error" in text


def test_one_item_is_written_in_the_singular(tmp_path: Path) -> None:
    record = trained(improved=True, items=1).model_copy(update={"held_out": 1, "left_out": 1})
    text = report(tmp_path / "r", [Made("lora", [1.0] * 40, training=record)])
    assert "so 1 training item was set aside for it. It was chosen on 1 validation item," in text
    assert "left out 1 training example longer than the model reads." in text


def test_the_weights_before_the_first_step_are_never_called_the_ones_kept(tmp_path: Path) -> None:
    curve = (
        CurvePoint(step=0, epoch=0.0, validation_loss=1.0),
        CurvePoint(step=5, epoch=0.5, validation_loss=1.4),
        CurvePoint(step=10, epoch=1.0, validation_loss=1.2),
    )
    text = report(tmp_path / "r", [Made("lora", [1.0] * 40, curve=curve)])
    assert "1 epochs were trained, the weights of epoch 1 were kept." in text


def test_a_method_with_the_leaders_very_score_is_named_beside_it(tmp_path: Path) -> None:
    half = [1.0, 0.0] * 20
    arms = [Made("zero-shot", [0.0] * 40), Made("lora", half), Made("icl-nearest", half)]
    text = report(tmp_path / "r", arms)
    said = "**icl-nearest**, with **lora** at the same measured score, scores highest: accuracy 0.5"
    assert said in text


def test_a_run_that_recorded_no_training_has_no_such_section(tmp_path: Path) -> None:
    assert "## Training" not in report(tmp_path / "r", [Made("zero-shot", [1.0, 0.0])])
