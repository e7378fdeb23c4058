"""A stranger's model runs no code of its own, and its chat template computes within limits."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from strategies import chat_template
from strategies.chat_template import TemplateError, rendered
from strategies.data import Message, Prompt
from strategies.embedding import Embedder
from strategies.errors import ModelError
from strategies.models import (
    ResolvedModel,
    import_architecture,
    load_config,
    load_model,
    load_tokenizer,
    resolve,
)
from strategies.rendering import Renderer
from strategies.strangers import refuse_programs
from strategies.weights.full import FullWeights
from tests.tiny import make_tiny_gguf

OWN_MODEL = {"AutoConfig": "own.Own", "AutoModel": "own.Own", "AutoModelForCausalLM": "own.Own"}
OWN_TOKENIZER = {"AutoTokenizer": ["own.Own", "own.Own"]}
pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that brings code, and nobody who could be asked whether to run it."""

    def asked(question: str = "") -> str:
        raise AssertionError(question)

    monkeypatch.setattr("builtins.input", asked)
    copied = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    (copied / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    return copied


def _edit(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def _found(folder: Path) -> ResolvedModel:
    return ResolvedModel("own", folder, "0")


# ---------------------------------------------------------------- code


@pytest.mark.parametrize(
    "load",
    [
        load_config,
        import_architecture,
        lambda found: load_model(found, "fp32", "cpu"),
        lambda found: Embedder(found, found.path).load(),
        lambda found: refuse_programs(found, found),
    ],
)
@pytest.mark.parametrize("prefix", ["", "some/repository--"])
def test_an_architecture_of_its_own_is_refused_in_one_sentence(
    folder: Path, load: Any, prefix: str
) -> None:
    auto = {name: prefix + own for name, own in OWN_MODEL.items()}
    _edit(folder / "config.json", auto_map=auto, model_type="own", architectures=["Own"])
    with pytest.raises(ModelError) as refused:
        load(_found(folder))
    said = f"{folder} needs Python code of its own, which the advisor never runs. Use a model"
    assert str(refused.value).startswith(said)
    assert not (folder.parent / "ran").exists()


@pytest.mark.parametrize(
    "load",
    [
        load_tokenizer,
        lambda found: Embedder(found, found.path).tokenizer,
        lambda found: refuse_programs(found, found),
    ],
)
def test_a_tokenizer_of_its_own_is_refused_in_one_sentence(folder: Path, load: Any) -> None:
    _edit(folder / "tokenizer_config.json", auto_map=OWN_TOKENIZER, tokenizer_class="Own")
    with pytest.raises(ModelError, match="needs Python code of its own, which the advisor never"):
        load(_found(folder))
    assert not (folder.parent / "ran").exists()


def test_a_model_that_transformers_knows_itself_loads_without_its_code(folder: Path) -> None:
    _edit(folder / "config.json", auto_map=OWN_MODEL)
    _edit(folder / "tokenizer_config.json", auto_map=OWN_TOKENIZER)
    refuse_programs(_found(folder), _found(folder))
    assert type(load_model(_found(folder), "fp32", "cpu")).__name__ == "LlamaForCausalLM"
    assert load_tokenizer(_found(folder)).encode("the sea")
    loaded = FullWeights().load(lambda: None, folder)
    assert type(loaded).__name__ == "LlamaForCausalLM"
    assert not (folder.parent / "ran").exists()


# ---------------------------------------------------------------- chat templates

LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
HOSTILE = {
    "loop": LOOP,
    "power": "{{ 9**(9**8) }}",
    "power-of-content": "{% set n = messages|length + 8 %}{{ (n**(n**8)) % 7 }}",
    "repeat": "{{ 'a' * 10**10 }}",
    "long": "{{ 'a' * 10**8 }}",
    "format": '{{ "%999999999d"|format(1) }}',
    "str-format": "{{ '{:>999999999}'.format(1) }}",
    "center": "{{ 'a'|center(10**9) }}",
    "indent": "{{ 'a\nb'|indent(10**10) }}",
    "doubling": (
        "{% set n = namespace(s='aa') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}"
        "{% endfor %}{{ n.s }}"
    ),
    "list": "{% set n = [1] * 10**10 %}{{ n|length }}",
    "big-list": "{{ range(99999)|list * 99999 }}",
}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    chat_template._here.end()
    monkeypatch.setattr(chat_template, "CPU_SECONDS", 0.5)
    yield
    chat_template._here.end()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("place", ["file", "config"])
def test_a_hostile_template_is_refused_before_a_bench_and_at_each_prompt(
    folder: Path, name: str, place: str
) -> None:
    if place == "file":
        (folder / "chat_template.jinja").write_text(HOSTILE[name])
    else:
        (folder / "chat_template.jinja").unlink(missing_ok=True)
        _edit(folder / "tokenizer_config.json", chat_template=HOSTILE[name])
    with pytest.raises(ModelError, match=f"chat template of {folder}") as refused:
        refuse_programs(_found(folder), _found(folder))
    assert not isinstance(refused.value, TemplateError)
    renderer = Renderer(load_tokenizer(_found(folder)))
    with pytest.raises(ModelError, match=f"chat template of {folder}"):
        renderer.text(_asking("the sea"))


@pytest.mark.usefixtures("quick")
def test_a_template_that_loops_at_some_content_only_is_stopped_there(folder: Path) -> None:
    clean = (folder / "chat_template.jinja").read_text()
    at_sea = "{% if 'sea' in messages[-1]['content'] %}" + LOOP + "{% endif %}"
    (folder / "chat_template.jinja").write_text(at_sea + clean)
    refuse_programs(_found(folder), _found(folder))
    renderer = Renderer(load_tokenizer(_found(folder)))
    before = renderer.text(_asking("the sky"))
    with pytest.raises(ModelError, match=r"does not end within 0\.5 seconds"):
        renderer.text(_asking("the sea"))
    assert renderer.text(_asking("the sky")) == before


@pytest.mark.usefixtures("quick")
def test_a_hostile_template_of_a_gguf_file_is_refused_by_the_name_of_the_file(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.tiny.CHAT_TEMPLATE", LOOP)
    gguf = make_tiny_gguf(tmp_path / "own.gguf", tiny_model)
    with pytest.raises(ModelError, match=f"chat template of {gguf} does not end"):
        refuse_programs(resolve(str(gguf)), _found(tiny_model))


def test_a_process_that_somebody_ended_while_it_waited_is_begun_anew() -> None:
    assert rendered("{{ a }}", {"a": 1}, "here") == "1"
    assert chat_template._here.process is not None
    chat_template._here.process._child.kill()
    assert rendered("{{ a }}", {"a": 2}, "here") == "2"


def test_a_template_that_calls_itself_for_ever_is_an_error(folder: Path) -> None:
    endless = "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"
    (folder / "chat_template.jinja").write_text(endless)
    with pytest.raises(TemplateError, match="maximum recursion depth"):
        Renderer(load_tokenizer(_found(folder))).text(_asking("the sea"))


def _asking(text: str) -> Prompt:
    return Prompt(messages=(Message(role="user", content=text),))


CLEAN = (
    "{%- for m in messages %}\n  {%- if loop.first %}\n    {{ bos_token }}\n  {%- endif %}\n"
    "{{ m['role'] | upper ~ ': ' ~ m.content | trim }}\n{%- endfor %}\n",
    "{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}"
    "{% generation %}{{ m | tojson }}{% endgeneration %}{% endfor %}"
    "{{ messages | tojson(indent=2) }}",
    "{% set n = namespace(seen=dict(a=1), x='é<&>') %}{% for m in messages %}"
    "{% set n.x = n.x + m.content.split('a')[-1] %}{% break %}{% endfor %}{{ n.x }}{{ n.seen.a }}"
    "{{ strftime_now('%Y') }}{{ tools is none }}{{ documents }}{{ add_generation_prompt }}"
    "{{ enable_thinking }}{{ date_string }}{{ eos_token }}{{ pad_token }}",
    "{{ messages[0]['content'][::-1] }}{{ messages | map(attribute='role') | join(',') }}\n\n",
)


@pytest.mark.parametrize("template", CLEAN)
def test_a_clean_template_renders_as_transformers_renders_it(
    tiny_model: Path, template: str
) -> None:
    renderer = Renderer(load_tokenizer(_found(tiny_model)))
    renderer.tokenizer.chat_template = template
    turns = [
        {"role": "system", "content": "Ordne 本 \u2028 \U0001f600 <b>&</b> \\n 'a' \"b\""},
        {"role": "user", "content": " the sea\r\n\tand a ripe tomato "},
    ]
    clock = "{%- macro strftime_now(format) -%}26 Jul 2024{%- endmacro -%}"
    expected = renderer.tokenizer.apply_chat_template(
        turns,
        chat_template=clock + template,
        tokenize=False,
        add_generation_prompt=True,
        enable_thinking=False,
        date_string="26 Jul 2024",
    )
    assert renderer._apply(turns, True) == expected


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('only users speak') }}",
        "{% set n = namespace(_a=1) %}",
        "{{ ''.__class__.__mro__ }}",
        "{% if %}",
    ],
)
def test_what_a_template_may_not_do_is_an_error(template: str) -> None:
    turns = [{"role": "user", "content": "the sea"}]
    with pytest.raises(TemplateError, match="The chat template of here fails: "):
        rendered(template, {"messages": turns}, "here")


def test_a_fork_renders_with_a_process_of_its_own() -> None:
    assert rendered("{{ a }}", {"a": 1}, "here") == "1"
    child = os.fork()
    if child == 0:
        good = all(rendered("{{ a }}", {"a": n}, "here") == str(n) for n in range(50))
        os._exit(0 if good else 1)
    assert all(rendered("{{ a }}", {"a": n}, "here") == str(n) for n in range(50))
    assert os.waitpid(child, 0)[1] == 0


def test_the_process_that_renders_ends_with_the_one_that_asks() -> None:
    def renderers() -> set[int]:
        every = psutil.process_iter(["cmdline"])
        return {p.pid for p in every if "chat_template_process" in str(p.info["cmdline"])}

    before, child = renderers(), os.fork()
    if child == 0:
        rendered("{{ a }}", {"a": 1}, "here")
        os._exit(0)
    os.waitpid(child, 0)
    deadline = time.monotonic() + 20
    while mine := renderers() - before:
        assert time.monotonic() < deadline, mine
        time.sleep(0.05)
