"""A prompting and a weights from outside the package come in through the built-in ones' hook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = '''
from typing import Literal

from safetensors.torch import load_file, save_file
from strategies.data import Message, Prompt
from strategies.method import Method, Prompting, Weights
from strategies.settings import TrainingSettings


class ShoutingPrompting(Prompting):
    """The instruction in capitals, then the input."""

    kind: Literal["shouting"] = "shouting"

    def prepare(self, data, embedder, seed):
        return Shouter(data.instruction)


class Shouter:
    def __init__(self, instruction):
        self.instruction = instruction

    def prompts(self, examples, *, training=False):
        system = Message(role="system", content=f"{self.instruction.upper()} {self.instruction}")
        return [
            Prompt(messages=(system, Message(role="user", content=example.input)))
            for example in examples
        ]


class NormWeights(Weights):
    """Only the normalisation layers train."""

    kind: Literal["norms"] = "norms"
    training: TrainingSettings = TrainingSettings(learning_rate=1e-2)

    def wrap(self, model):
        for name, parameter in model.named_parameters():
            parameter.requires_grad_("norm" in name)
        return model

    def save(self, model, folder):
        kept = {n: p.detach().clone() for n, p in model.named_parameters() if "norm" in n}
        save_file(kept, folder / "norms.safetensors")

    def load(self, base, folder):
        model = base()
        model.load_state_dict(load_file(folder / "norms.safetensors"), strict=False)
        return model


def register(registry):
    registry.add_prompting(ShoutingPrompting)
    registry.add_weights(NormWeights)
    registry.add_method(
        Method(
            name="shout+norms",
            summary="Capitals, and trained normalisation layers.",
            prompting=ShoutingPrompting(),
            weights=NormWeights(),
        )
    )
'''


@pytest.fixture
def plugin(tmp_path: Path) -> dict[str, str]:
    """An environment in which the plug-in is installed."""
    folder = tmp_path / "site"
    info = folder / "shouting-0.1.dist-info"
    info.mkdir(parents=True)
    (folder / "shouting.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shouting\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(
        "[adaptation_advisor.strategies]\nshouting = shouting:register\n"
    )
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}


def _python(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_plugin_appears_among_the_methods(plugin: dict[str, str]) -> None:
    listed = json.loads(_python(plugin, "-m", "advisor.cli.app", "methods", "--json"))
    assert "shout+norms" in [method["name"] for method in listed]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_plugin_passes_the_conformance_suite(plugin: dict[str, str]) -> None:
    suite = "tests/conformance/test_strategies.py"
    said = _python(plugin, "-m", "pytest", suite, "-k", "shout", "-p", "no:cacheprovider")
    # One test a promise: five for every method, one more for trained weights.
    assert "7 passed" in said


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_plugin_runs_in_a_bench(plugin: dict[str, str], tiny_model: Path, tmp_path: Path) -> None:
    out, task, table = tmp_path / "run", tmp_path / "colours", tmp_path / "colours.csv"
    lines = [
        f"the {'sea' if n % 2 else 'tomato'} {n},{'blue' if n % 2 else 'red'}" for n in range(40)
    ]
    table.write_text("\n".join(["text,label", *lines]))
    _python(plugin, "-m", "advisor.cli.app", "init", str(task), "--from", str(table))
    _python(
        plugin, "-m", "advisor.cli.app", "bench", str(task), "--methods", "shout+norms",
        "--model", str(tiny_model), "--limit", "4", "--train-limit", "12", "--epochs", "1",
        "--out", str(out), "--quiet",
    )  # fmt: skip
    arm = json.loads((out / "arms" / "shout+norms-s0" / "arm.json").read_text())
    assert arm["status"] == "finished"
    assert arm["cost"]["trainable_parameters"] > 0
    assert (out / "report.md").is_file()
