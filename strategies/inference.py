"""Answers prompts: scores closed sets of choices and generates open answers, in batches.

Both keep what plain `transformers` and lm-eval's ``hf`` model would answer; they leave out
work that need not be done (Pope et al. 2022, arXiv:2211.05102, on key-value caches).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from strategies.rendering import Renderer

if TYPE_CHECKING:
    import torch

# Prompt tokens processed at once, padding included: bounds memory, keeps two cores busy.
_TOKENS_PER_BATCH = {"cpu": 8_192, "cuda": 131_072}
_ROWS_PER_BATCH = {"cpu": 16, "cuda": 128}


@dataclass(frozen=True)
class Generation:
    """A generated answer.

    Attributes:
        index: position of its prompt among those given.
        text: without the end-of-turn token and what follows a stop text.
        tokens: tokens generated, the end-of-turn token not counted.
        margin: smallest gap between the logits of the two best tokens on the way.
        seconds: wall time of its batch divided by the batch's size.
    """

    index: int
    text: str
    tokens: int
    margin: float
    seconds: float


@dataclass(frozen=True)
class Scores:
    """The log-likelihood of every continuation of one context.

    Attributes:
        index: position of its context among those given.
        logprobs: natural logarithms, one a continuation.
        greedy: whether greedy decoding would have produced it.
        seconds: wall time of its batch divided by the batch's size.
    """

    index: int
    logprobs: tuple[float, ...]
    greedy: tuple[bool, ...]
    seconds: float


class Engine:
    """A loaded model with its tokenizer.

    Attributes:
        max_tokens: context length of the model.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        """Wrap a causal language model in evaluation mode."""
        self.model = _with_exact_logits(model)
        self.renderer = Renderer(tokenizer)
        self.tokenizer = tokenizer
        self.device = str(model.device).split(":", maxsplit=1)[0]
        self.max_tokens = int(getattr(model.config, "max_position_embeddings", 2048) or 2048)

    def batches(self, lengths: Sequence[int], rows_each: int = 1) -> Iterator[list[int]]:
        """Positions of prompts of similar length, longest first, within the memory bound.

        Args:
            lengths: tokens of every prompt.
            rows_each: rows that one prompt becomes later, such as its choices.
        """
        tokens, rows = _TOKENS_PER_BATCH[self.device], _ROWS_PER_BATCH[self.device]
        order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
        while order:
            room = max(1, tokens // max(1, lengths[order[0]]))
            size = max(1, min(room, rows) // rows_each) if rows_each > 1 else min(room, rows)
            yield order[:size]
            order = order[size:]

    def generate(
        self, prompts: Sequence[Sequence[int]], max_new_tokens: int, stop: Sequence[str] = ()
    ) -> Iterator[Generation]:
        """Greedy answers, each as soon as its batch is done.

        Args:
            prompts: tokens of every prompt, at least one each.
            max_new_tokens: longest answer.
            stop: an answer ends before the first of these texts.
        """
        stops = (*self.renderer.stop_texts, *stop)
        for batch in self.batches([len(prompt) for prompt in prompts]):
            start = time.perf_counter()
            rows = self._decode([prompts[i] for i in batch], max_new_tokens, stops)
            seconds = (time.perf_counter() - start) / len(batch)
            for index, (tokens, margin) in zip(batch, rows, strict=True):
                text = self._text(tokens, stops)
                yield Generation(index, text, len(tokens), margin, seconds)

    def _text(self, tokens: list[int], stops: Sequence[str]) -> str:
        text: str = self.tokenizer.decode(tokens, skip_special_tokens=True)
        for stop in stops:
            text = text.split(stop, 1)[0]
        return text.strip()

    def _decode(
        self, prompts: list[Sequence[int]], max_new_tokens: int, stops: Sequence[str]
    ) -> list[tuple[list[int], float]]:
        """Greedy decoding of one batch; a finished row leaves it."""
        import torch

        tokens: list[list[int]] = [[] for _ in prompts]
        margins = [float("inf")] * len(prompts)
        alive = list(range(len(prompts)))
        with torch.inference_mode():
            logits, cache, mask = self._prefill(prompts)
            for step in range(max_new_tokens):
                top = logits.float().topk(2, dim=-1)
                for row, item in enumerate(alive):
                    gap = float(top.values[row, 0] - top.values[row, 1])
                    margins[item] = min(margins[item], gap)
                    tokens[item].append(int(top.indices[row, 0]))
                kept = [
                    row for row, item in enumerate(alive) if not self._ended(tokens[item], stops)
                ]
                if not kept or step + 1 == max_new_tokens:
                    break
                if len(kept) < len(alive):
                    select = torch.tensor(kept, device=mask.device)
                    cache.batch_select_indices(select)
                    mask = mask[select]
                    alive = [alive[row] for row in kept]
                logits, mask = self._step([tokens[item][-1:] for item in alive], cache, mask)
        stop_ids = self.renderer.stop_ids
        return [
            ([token for token in row if token not in stop_ids], margin)
            for row, margin in zip(tokens, margins, strict=True)
        ]

    def _ended(self, tokens: list[int], stops: Sequence[str]) -> bool:
        if tokens[-1] in self.renderer.stop_ids:
            return True
        if not stops:
            return False
        tail = self.tokenizer.decode(tokens[-16:])
        return any(stop in tail for stop in stops)

    def score(
        self, contexts: Sequence[Sequence[int]], continuations: Sequence[Sequence[Sequence[int]]]
    ) -> Iterator[Scores]:
        """Log-likelihoods of the continuations of every context.

        The context is read once; a continuation costs its tokens but the last, and continuations
        that differ in their last token alone are read once.

        Args:
            contexts: tokens of every context, at least one each.
            continuations: for every context the tokens of its continuations, at least one each.
        """
        rows = max((len(_stems(each)) for each in continuations), default=0)
        for batch in self.batches([len(context) for context in contexts], max(1, rows // 8)):
            yield from self._score_batch(
                batch, [contexts[i] for i in batch], [continuations[i] for i in batch]
            )

    def _score_batch(
        self,
        batch: list[int],
        contexts: list[Sequence[int]],
        continuations: list[Sequence[Sequence[int]]],
    ) -> Iterator[Scores]:
        import torch

        begin = time.perf_counter()
        with torch.inference_mode():
            first, cache, mask = self._prefill(contexts)
            stems = [_stems(each) for each in continuations]
            owner = [row for row, each in enumerate(stems) for _ in each]
            flat = [stem for each in stems for stem in each]
            after = self._read_stems(flat, owner, cache, mask) if flat else None
            heads = first.float().log_softmax(-1)
        seconds = (time.perf_counter() - begin) / len(batch)
        start = 0
        for row, (index, each) in enumerate(zip(batch, continuations, strict=True)):
            place = {stem: start + n for n, stem in enumerate(stems[row])}
            start += len(place)
            scored = [_score_one(list(c), heads[row], after, place) for c in each]
            yield Scores(index, tuple(s for s, _ in scored), tuple(g for _, g in scored), seconds)

    def _read_stems(
        self, stems: list[tuple[int, ...]], owner: list[int], cache: Any, mask: torch.Tensor
    ) -> torch.Tensor:
        """Log-probabilities behind every token of every stem: (stems, longest stem, vocabulary)."""
        import torch

        select = torch.tensor(owner, device=mask.device)
        cache.batch_select_indices(select)
        width = max(len(stem) for stem in stems)
        pad = self.tokenizer.pad_token_id
        ids = [[*stem, *[pad] * (width - len(stem))] for stem in stems]
        logits, _ = self._step(ids, cache, mask[select], keep_all=True)
        return logits.float().log_softmax(-1)

    def _prefill(self, prompts: list[Sequence[int]]) -> tuple[torch.Tensor, Any, torch.Tensor]:
        """Read prompts, left-padded; the last position's logits, the cache and its mask."""
        import torch
        from transformers import DynamicCache

        width = max(len(prompt) for prompt in prompts)
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([[*[pad] * (width - len(p)), *p] for p in prompts])
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
        ids, mask = ids.to(self.model.device), mask.to(self.model.device)
        cache = DynamicCache(config=self.model.config)
        out = self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return out.logits[:, -1], cache, mask

    def _step(
        self, ids: list[list[int]], cache: Any, mask: torch.Tensor, *, keep_all: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Read further tokens of every row; their logits and the longer mask."""
        import torch

        tokens = torch.tensor(ids, device=mask.device)
        positions = mask.sum(-1, keepdim=True) + torch.arange(tokens.shape[1], device=mask.device)
        mask = torch.cat([mask, torch.ones_like(tokens)], dim=-1)
        out = self.model(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        )
        return (out.logits if keep_all else out.logits[:, -1]), mask


def _with_exact_logits(model: Any) -> Any:
    """The model with a vocabulary projection in fp32.

    A bf16 logit near 20 is rounded to steps of 1/8, more than what tells two labels apart; the
    hidden states behind it are exact enough. Nothing changes for a model in fp32.
    """
    import torch

    head = model.get_output_embeddings()
    if not isinstance(head, torch.nn.Linear) or head.weight.dtype == torch.float32:
        return model

    class ExactHead(torch.nn.Linear):
        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            return super().forward(hidden.float())

    exact = ExactHead(
        head.in_features, head.out_features, head.bias is not None, dtype=torch.float32
    )
    exact.load_state_dict({name: value.float() for name, value in head.state_dict().items()})
    model.set_output_embeddings(exact.to(head.weight.device).requires_grad_(False))
    return model


def _stems(continuations: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    """What has to be read: the continuations without their last token, prefixes dropped."""
    wanted = sorted({tuple(c[:-1]) for c in continuations if len(c) > 1}, key=len, reverse=True)
    kept: list[tuple[int, ...]] = []
    for stem in wanted:
        if not any(other[: len(stem)] == stem for other in kept):
            kept.append(stem)
    return kept


def _score_one(
    continuation: list[int],
    head: torch.Tensor,
    after: torch.Tensor | None,
    place: dict[tuple[int, ...], int],
) -> tuple[float, bool]:
    """Log-likelihood of one continuation, and whether each token was the best one."""
    rows = [head]
    if after is not None and len(continuation) > 1:
        stem = tuple(continuation[:-1])
        row = next(n for s, n in place.items() if s[: len(stem)] == stem)
        rows += list(after[row, : len(stem)])
    pairs = list(zip(rows, continuation, strict=True))
    total = sum(float(logprobs[token]) for logprobs, token in pairs)
    return total, all(int(logprobs.argmax()) == token for logprobs, token in pairs)
