"""Batched scoring and decoding give what plain transformers gives, one item at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    DynamicCache,
    GPTNeoConfig,
    MistralConfig,
    MistralForCausalLM,
    MptConfig,
)

from strategies.choices import choice_tree
from strategies.data import Message, Prompt
from strategies.inference import Engine, _closed_up
from strategies.models import ResolvedModel, load_model, load_tokenizer
from strategies.prefix import attends_fully
from strategies.room import make_room

QUESTIONS = (
    "what",
    "the sky over the sea is blue today",
    "a ripe tomato and a fire engine are red, which colour has it?",
    "yes no maybe",
)


def _engine(folder: Path) -> Engine:
    resolved = ResolvedModel("tiny", folder, "0")
    return Engine(load_model(resolved, "fp32", "cpu"), load_tokenizer(resolved))


def _prompts(engine: Engine) -> list[list[int]]:
    texts = [
        engine.renderer.text(Prompt(messages=(Message(role="user", content=question),)))
        for question in QUESTIONS
    ]
    return [engine.renderer.encode(text) for text in texts]


def test_batched_greedy_answers_equal_plain_generate(tiny_model: Path) -> None:
    engine = _engine(tiny_model)
    prompts = _prompts(engine)
    answers = {made.index: made for made in engine.generate(prompts, 12)}
    for n, prompt in enumerate(prompts):
        out = engine.model.generate(
            torch.tensor([prompt]), max_new_tokens=12, do_sample=False, pad_token_id=0
        )[0, len(prompt) :]
        text = engine.tokenizer.decode(out, skip_special_tokens=True).strip()
        assert answers[n].text == text


def test_a_finished_answer_leaves_the_batch_and_the_others_go_on(tiny_model: Path) -> None:
    engine = _engine(tiny_model)
    prompts = _prompts(engine)
    # The token that one answer begins with ends it now; the other answers do not change.
    first = int(engine.model(torch.tensor([prompts[0]])).logits[0, -1].argmax())
    engine.model.generation_config.eos_token_id = [first]
    engine = Engine(engine.model, engine.tokenizer)
    stopped = {made.index: made for made in engine.generate(prompts, 12)}
    for n, prompt in enumerate(prompts):
        assert stopped[n].text == next(engine.generate([prompt], 12)).text
    assert stopped[0].tokens == ()
    assert len(stopped[0].margins) == 1


@pytest.mark.parametrize(
    ("kept", "rows"),
    [
        ([True, True], [0, 1]),
        ([False, True, True, False, True], [4, 1, 2]),
        ([False, False, True], [2]),
        ([False], []),
    ],
)
def test_leaving_rows_are_filled_from_the_end(kept: list[bool], rows: list[int]) -> None:
    assert _closed_up(kept) == rows


def test_a_cache_with_room_holds_what_a_growing_one_holds() -> None:
    torch.manual_seed(0)
    states = [torch.randn(3, 2, 5, 4) for _ in range(2)]
    growing, roomy = DynamicCache([tuple(states)]), DynamicCache([tuple(states)])
    make_room(roomy, 3)
    for select in (None, [2, 1], [0]):
        if select is not None:
            for cache in (growing, roomy):
                cache.reorder_cache(torch.tensor(select))
        rows = len(growing.layers[0].keys)
        new = torch.randn(2, rows, 2, 1, 4)
        found = [cache.update(*new, 0) for cache in (growing, roomy)]
        assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
        assert growing.get_seq_length() == roomy.get_seq_length()


def _with_sliding_attention(folder: Path) -> Engine:
    """A random model whose tokens see four tokens back, with the same tokenizer."""
    torch.manual_seed(0)
    tiny = _engine(folder)
    same = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
    shape = {name: getattr(tiny.model.config, name) for name in same}
    config = MistralConfig(**shape, num_key_value_heads=2, sliding_window=4, initializer_range=0.5)
    return Engine(MistralForCausalLM(config).eval(), tiny.tokenizer)


@pytest.mark.parametrize("make", [_engine, _with_sliding_attention])
def test_scores_equal_one_full_forward_pass_a_choice(
    tiny_model: Path, make: Callable[[Path], Engine]
) -> None:
    engine = make(tiny_model)
    assert engine._attends_fully == (make is _engine)
    prompts = _prompts(engine)
    choices = [[5, 6, 7], [5, 6], [9], [5, 8, 7, 11]]
    for scores in engine.score(prompts, [choices] * len(prompts)):
        prompt = prompts[scores.index]
        for choice, found, greedy in zip(choices, scores.logprobs, scores.greedy, strict=True):
            logits = (
                engine.model(torch.tensor([prompt + choice])).logits[0].detach().log_softmax(-1)
            )
            rows = logits[len(prompt) - 1 : -1]
            expected = sum(float(rows[n, token]) for n, token in enumerate(choice))
            assert found == pytest.approx(expected, abs=1e-4)
            assert greedy == (rows.argmax(-1).tolist() == choice)


def test_choices_that_share_a_beginning_are_read_once() -> None:
    tree = choice_tree([[5, 6, 7], [5, 6], [9], [5, 8, 7]])
    assert tree.tokens == (5, 6, 8)
    assert tree.parents == (-1, 0, 0)
    assert tree.depths == (0, 1, 1)
    assert tree.steps == (
        ((0, 5), (1, 6), (2, 7)),
        ((0, 5), (1, 6)),
        ((0, 9),),
        ((0, 5), (1, 8), (3, 7)),
    )
    assert tree.ancestry.tolist() == [
        [True, False, False],
        [True, True, False],
        [True, False, True],
    ]


def test_scores_do_not_depend_on_what_was_asked_before(tiny_model: Path) -> None:
    engine = _engine(tiny_model)
    prompts = _prompts(engine)
    choices = [[5, 6, 7], [5, 6], [9], [5, 8, 7, 11]]
    together = {found.index: found for found in engine.score(prompts, [choices] * len(prompts))}
    for n, prompt in enumerate(prompts):
        (remembered,) = engine.score([prompt], [choices])
        (fresh,) = _engine(tiny_model).score([prompt], [choices])
        assert remembered.logprobs == pytest.approx(fresh.logprobs, abs=1e-4)
        assert together[n].logprobs == pytest.approx(fresh.logprobs, abs=1e-4)


def test_a_shared_beginning_is_read_once(tiny_model: Path) -> None:
    engine = _engine(tiny_model)
    prompts = _prompts(engine)
    read: list[int] = []
    engine.model.register_forward_pre_hook(
        lambda module, args, kwargs: read.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    alike = [[*prompts[2][:9], different, 5, 6] for different in (20, 21, 22, 23)]
    list(engine.score(alike, [[[5]]] * 4))
    list(engine.generate(alike[:1], 1))
    assert read == [9, 4 * 3, 2, 1]


def test_prompts_of_which_one_token_is_left_to_read_are_answered(tiny_model: Path) -> None:
    prompt = _prompts(_engine(tiny_model))[2]
    for prompts in ([prompt, prompt], [[3]]):
        engine = _engine(tiny_model)
        out = engine.model.generate(
            torch.tensor(prompts[:1]), max_new_tokens=6, do_sample=False, pad_token_id=0
        )[0, len(prompts[0]) :]
        text = engine.tokenizer.decode(out, skip_special_tokens=True).strip()
        assert [made.text for made in engine.generate(prompts, 6)] == [text] * len(prompts)


def test_a_prompt_without_the_beginning_does_not_stop_the_others_from_sharing(
    tiny_model: Path,
) -> None:
    engine = _engine(tiny_model)
    beginning = _prompts(engine)[2][:9]
    alike = [[*beginning, different, 5, 6] for different in (20, 21, 22, 23)]
    prompts = [*alike, [7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]]
    shared, alone = engine._grouped(prompts)
    assert list(shared[0].tokens) == beginning
    assert (shared[1], alone[1]) == ([0, 1, 2, 3], [4])
    together = {made.index: made.text for made in engine.generate(prompts, 6)}
    for n, prompt in enumerate(prompts):
        assert together[n] == next(_engine(tiny_model).generate([prompt], 6)).text


@pytest.mark.parametrize(
    "config",
    [
        GPTNeoConfig(
            hidden_size=8, num_heads=2, num_layers=2, attention_types=[[["global", "local"], 1]]
        ),
        BloomConfig(hidden_size=8, n_head=2, n_layer=1),
        MptConfig(d_model=8, n_heads=2, n_layers=1),
    ],
)
def test_nothing_is_put_between_tokens_of_a_model_that_counts_them(config: Any) -> None:
    with torch.device("meta"):
        assert not attends_fully(AutoModelForCausalLM.from_config(config))


def test_an_answer_of_a_plain_model_ends_before_the_next_input(plain_model: Path) -> None:
    engine = _engine(plain_model)
    assert engine.renderer.stop_texts == ("\nInput:", "\n\n")
    text = engine.renderer.text(
        Prompt(
            messages=(
                Message(role="system", content="Sort."),
                Message(role="user", content="sea"),
            )
        )
    )
    assert text == "Sort.\n\nInput: sea\n\nOutput:"
    assert engine.renderer.continuation("blue") == " blue"


def test_batches_hold_the_memory_bound_and_every_prompt_once(tiny_model: Path) -> None:
    engine = _engine(tiny_model)
    lengths = [10_000, 5, 3_000, 4_000, 7, 7]
    batches = list(engine.batches(lengths))
    assert sorted(place for batch in batches for place in batch) == list(range(6))
    assert batches[0] == [0]
    for batch in batches[1:]:
        assert len(batch) * max(lengths[place] for place in batch) <= 8_192


def test_lines_hold_their_bound_and_every_context_once(tiny_model: Path) -> None:
    engine = _engine(tiny_model)
    trees = [choice_tree([[5, 6, 7], [5, 8, 7]])] * 5
    contexts = [[1] * length for length in (100, 200, 17, 400, 3)]
    # 100 + 3 nodes and 200 + 3 would be 306; 17 + 3 more are too many.
    assert list(engine._lines(contexts, trees)) == [[0, 1], [2], [3], [4]]


def test_logits_of_a_bf16_model_are_not_rounded_to_bf16(tiny_model: Path) -> None:
    resolved = ResolvedModel("tiny", tiny_model, "0")
    engine = Engine(load_model(resolved, "bf16", "cpu"), load_tokenizer(resolved))
    prompts = _prompts(engine)
    choices = [[token] for token in range(3, 90)]
    for scores in engine.score(prompts, [choices] * len(prompts)):
        ids = torch.tensor([prompts[scores.index]])
        with torch.inference_mode():
            hidden = engine.model.model(ids).last_hidden_state[0, -1].float()
            weight = engine.model.get_input_embeddings().weight.float()
            if not engine.model.config.tie_word_embeddings:
                weight = load_model(resolved, "bf16", "cpu").lm_head.weight.float()
            expected = (weight @ hidden).log_softmax(-1)[3:90]
        assert torch.tensor(scores.logprobs) == pytest.approx(expected, abs=5e-2)
        # Rounded logits of this size would collide; exact ones tell all choices apart.
        assert len(set(scores.logprobs)) == len(choices)
