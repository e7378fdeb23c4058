"""Answers prompts: scores closed sets of choices and generates open answers, in batches.

Both keep what plain `transformers` and lm-eval's ``hf`` model would answer; they leave out
work that need not be done (Pope et al. 2022, arXiv:2211.05102, on key-value caches).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from inspect import signature
from typing import TYPE_CHECKING, Any

from strategies.choices import ChoiceTree, choice_tree
from strategies.errors import ModelError
from strategies.models import context_length
from strategies.prefix import LEAST_SHARED, Prefix, attends_fully, common_beginning
from strategies.rendering import Renderer, padded

if TYPE_CHECKING:
    import torch

# Tokens held at once, padding included: bounds memory, keeps two cores busy.
_TOKENS_PER_BATCH = {"cpu": 8_192, "cuda": 131_072}
# Tokens of one line of contexts and trees: more would pay for keys that they must not see.
_TOKENS_PER_LINE = {"cpu": 320, "cuda": 4_096}
_ROWS_PER_BATCH = {"cpu": 32, "cuda": 128}
# Logits in fp32 held at once: an eighth of a GiB, four on a GPU.
_LOGITS_PER_BATCH = {"cpu": 2**25, "cuda": 2**30}
# Deviations from a plain forward pass that rounding explains, in fp32 and in shorter numbers. In
# 55 architectures of transformers it made at most 4e-4 and 0.04; reading wrongly made 0.8 and more.
_DEVIATION, _ROUNDED_DEVIATION = 1e-2, 0.2
_LEAST_SPREAD = 1e-2


@dataclass(frozen=True)
class Generation:
    """A generated answer.

    Attributes:
        index: position of its prompt among those given.
        text: without the end-of-turn token and what follows a stop text.
        tokens: those generated, the end-of-turn token left out.
        margins: gap between the logits of the two best tokens at every step, that of the
            end-of-turn token among them.
        seconds: wall time of its batch divided by the batch's size.
    """

    index: int
    text: str
    tokens: tuple[int, ...]
    margins: tuple[float, ...]
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
        """Wrap a causal language model in evaluation mode.

        Raises:
            ModelError: it keeps its state in another way than transformers' decoders do.
        """
        missing = {"past_key_values", "logits_to_keep"} - set(signature(model.forward).parameters)
        if missing:
            raise ModelError(
                f"{type(model).__name__} cannot be answered with: its forward takes no "
                f"{' and no '.join(sorted(missing))}. Take a decoder with a key-value cache."
            )
        self.model = _with_exact_logits(model)
        self.renderer = Renderer(tokenizer)
        self.tokenizer = tokenizer
        self.device = str(model.device).split(":", maxsplit=1)[0]
        self.max_tokens = context_length(model.config)
        self._stop_ids = self.renderer.stop_ids | _end_ids(model)
        self._vocabulary = int(model.get_input_embeddings().weight.shape[0])
        self._prefix = Prefix()
        self._take_fastest_way()

    def _take_fastest_way(self) -> None:
        """Settle whether tokens see all before them, and whether rows share what they begin with.

        What a model's parts say of that is tried out: an architecture that does more than they
        tell is read more plainly.

        Raises:
            ModelError: even then it answers otherwise than in one plain forward pass.
        """
        import torch

        from strategies.attention import can_share

        most = _DEVIATION if self.model.dtype == torch.float32 else _ROUNDED_DEVIATION
        fully = attends_fully(self.model)
        ways = ((fully, fully and can_share(self.model)), (fully, False), (False, False))
        why = ""
        for self._attends_fully, self._shares in dict.fromkeys(ways):
            try:
                deviation = self._deviation()
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # an unknown architecture may raise anything
                why = f"{type(error).__name__}: {error}"
                continue
            if not deviation > most:
                return
            why = "it goes on otherwise than in one forward pass"
        raise ModelError(
            f"{type(self.model).__name__} cannot be answered with. Behind a beginning that is read "
            f"once: {why}. Take a decoder with a key-value cache."
        )

    def _deviation(self) -> float:
        """How far answers to made-up prompts are from those of plain forward passes.

        Returns:
            the difference of two log-likelihoods in units of their spread over the vocabulary;
            not a number where the model gives none.
        """
        import torch

        middle = self._vocabulary // 2
        beginning = range(middle, middle + LEAST_SHARED)
        prompts = [[*beginning, *range(middle - last, middle)] for last in (2, 5)]
        choices = [[middle, middle + 1], [middle + 2, middle + 3]]
        plain: list[torch.Tensor] = []
        with torch.inference_mode():
            for prompt in prompts:
                ids = torch.tensor([[*prompt, *choice] for choice in choices])
                ids = ids.to(self.model.device)
                logits = self.model(input_ids=ids, use_cache=False, logits_to_keep=3).logits[:, :-1]
                plain.append(logits.float().log_softmax(-1).cpu())
            ((prefix, places),) = self._grouped(prompts)
            rest = [prompts[n][len(prefix.tokens) :] for n in places]
            rows = self._read_but_last(rest, prefix)
            after = self._step([prompt[-1:] for prompt in rest], rows).float().log_softmax(-1).cpu()
        scores = torch.tensor([each.logprobs for each in self.score(prompts, [choices] * 2)])
        self._prefix = Prefix()
        expected = torch.stack([each[0, 0] for each in plain])
        tokens = torch.tensor([choices] * 2)[..., None]
        scored = torch.stack(plain).gather(-1, tokens).sum((2, 3))
        next_token = (after - expected).square().mean().sqrt()
        # Two tokens a choice.
        choice = (scores - scored).abs().max() / 2
        return float(torch.maximum(next_token, choice) / expected.std().clamp(min=_LEAST_SPREAD))

    def batches(self, lengths: Sequence[int], positions: int = 1) -> Iterator[list[int]]:
        """Places of prompts of similar length, longest first, within the memory bounds.

        Args:
            lengths: tokens of every prompt, with what is read behind it.
            positions: positions of each prompt whose logits are wanted.
        """
        tokens, rows = _TOKENS_PER_BATCH[self.device], _ROWS_PER_BATCH[self.device]
        rows = min(rows, _LOGITS_PER_BATCH[self.device] // (positions * self._vocabulary))
        order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
        while order:
            size = max(1, min(rows, tokens // max(1, lengths[order[0]])))
            yield order[:size]
            order = order[size:]

    def _grouped(self, prompts: Sequence[Sequence[int]]) -> Iterator[tuple[Prefix, list[int]]]:
        """Places of the prompts that share a beginning, and of those that do not.

        Most prompts decide what is shared: one that was cut from the left does not stop them.
        """
        starts = Counter(tuple(prompt[:LEAST_SHARED]) for prompt in prompts)
        common, number = starts.most_common(1)[0] if starts else ((), 0)
        if self._attends_fully and 2 * number >= len(prompts) > 0:
            together = [n for n, p in enumerate(prompts) if tuple(p[:LEAST_SHARED]) == common]
        else:
            together = []
        prefix = self._shared([tuple(prompts[n]) for n in together])
        alone = sorted(set(range(len(prompts))) - set(together))
        for beginning, places in ((prefix, together), (Prefix(), alone)):
            if places:
                yield beginning, places

    def _shared(self, prompts: Sequence[tuple[int, ...]]) -> Prefix:
        """The beginning that all prompts share, empty when it is too short to be worth it.

        It is remembered: a single prompt shares what it has in common with the prompts before.
        At least one token of every prompt is left to be read.
        """
        if not prompts:
            return Prefix()
        shortest = min(len(prompt) for prompt in prompts) - 1
        # In lexicographic order the first and the last have in common what all have.
        first, last = min(prompts), max(prompts) if len(prompts) > 1 else self._prefix.tokens
        length = min(shortest, common_beginning(first, last))
        if length < LEAST_SHARED:
            return Prefix()
        if self._prefix.tokens[:length] != first[:length]:
            self._prefix = self._read(first[:length])
        return self._prefix.cut(length)

    def _read(self, tokens: tuple[int, ...]) -> Prefix:
        import torch

        with torch.inference_mode():
            rows = self._rows([tokens], Prefix())
            self._forward(torch.tensor([tokens]), rows.mask, rows)
        return Prefix.of(rows.cache, tokens)

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int,
        stop: Sequence[str] | None = None,
        skip: Collection[int] = (),
    ) -> Iterator[Generation]:
        """Greedy answers, each as soon as its batch is done.

        Args:
            prompts: tokens of every prompt, at least one each.
            max_new_tokens: longest answer.
            stop: an answer ends before the first of these texts; None for the renderer's own.
            skip: places of prompts that need no answer; a batch of such alone is left out.
        """
        stops = self.renderer.stop_texts if stop is None else tuple(stop)
        start = time.perf_counter()
        groups = list(self._grouped(prompts))
        sharing = (time.perf_counter() - start) / max(1, len(prompts))

        def split(prefix: Prefix, places: list[int]) -> Iterator[list[int]]:
            shared = len(prefix.tokens) if self._shares else 0
            return self.batches([len(prompts[n]) - shared for n in places])

        for prefix, batch in _batched(groups, split, skip):
            start = time.perf_counter()
            rest = [prompts[i][len(prefix.tokens) :] for i in batch]
            rows = self._decode(rest, prefix, max_new_tokens, stops)
            seconds = (time.perf_counter() - start) / len(batch) + sharing
            for index, (tokens, margins) in zip(batch, rows, strict=True):
                text = self._text(tokens, stops)
                yield Generation(index, text, tuple(tokens), tuple(margins), seconds)

    def _text(self, tokens: list[int], stops: Sequence[str]) -> str:
        text: str = self.tokenizer.decode(tokens, skip_special_tokens=True)
        for stop in stops:
            text = text.split(stop, 1)[0]
        return text.strip()

    def _decode(
        self,
        prompts: list[Sequence[int]],
        prefix: Prefix,
        max_new_tokens: int,
        stops: Sequence[str],
    ) -> list[tuple[list[int], list[float]]]:
        """Greedy decoding of one batch, tokens and margins of every row; a finished row leaves."""
        import torch

        from strategies.room import make_room

        tokens: list[list[int]] = [[] for _ in prompts]
        margins: list[list[float]] = [[] for _ in prompts]
        alive = list(range(len(prompts)))
        with torch.inference_mode():
            rows = self._read_but_last(prompts, prefix)
            logits = self._step([prompt[-1:] for prompt in prompts], rows)
            make_room(rows.cache, max_new_tokens)
            for step in range(max_new_tokens):
                top = logits.float().topk(2, dim=-1)
                gaps = (top.values[:, 0] - top.values[:, 1]).tolist()
                for item, gap, token in zip(alive, gaps, top.indices[:, 0].tolist(), strict=True):
                    margins[item].append(gap)
                    tokens[item].append(token)
                kept = _closed_up([not self._ended(tokens[item], stops) for item in alive])
                if not kept or step + 1 == max_new_tokens:
                    break
                if len(kept) < len(alive):
                    rows.keep(kept)
                    alive = [alive[row] for row in kept]
                logits = self._step([tokens[item][-1:] for item in alive], rows)
        return [
            ([token for token in row if token not in self._stop_ids], gaps)
            for row, gaps in zip(tokens, margins, strict=True)
        ]

    def _ended(self, tokens: list[int], stops: Sequence[str]) -> bool:
        if tokens[-1] in self._stop_ids:
            return True
        if not stops:
            return False
        tail = self.tokenizer.decode(tokens[-16:])
        return any(stop in tail for stop in stops)

    def score(
        self,
        contexts: Sequence[Sequence[int]],
        continuations: Sequence[Sequence[Sequence[int]]],
        skip: Collection[int] = (),
    ) -> Iterator[Scores]:
        """Log-likelihoods of the continuations of every context.

        Behind a context, the tree of its continuations is read in one forward pass, in which a
        token sees its ancestors alone (tree attention; Miao et al. 2023, arXiv:2305.09781).

        Args:
            contexts: tokens of every context, at least one each.
            continuations: for every context the tokens of its continuations, at least one each.
            skip: as in `generate`.
        """
        start = time.perf_counter()
        tree_of = cache(choice_tree)  # most contexts have the same choices
        trees = [tree_of(tuple(map(tuple, each))) for each in continuations]
        groups = list(self._grouped(contexts))
        sharing = (time.perf_counter() - start) / max(1, len(contexts))
        read = self._read_lines if self._attends_fully else self._read_rows

        def split(prefix: Prefix, places: list[int]) -> Iterator[list[int]]:
            rest = [contexts[n][len(prefix.tokens) :] for n in places]
            return self._lines(rest, [trees[n] for n in places])

        for prefix, batch in _batched(groups, split, skip):
            begin = time.perf_counter()
            rest = [contexts[n][len(prefix.tokens) :] for n in batch]
            found = read(rest, [trees[n] for n in batch], prefix)
            seconds = (time.perf_counter() - begin) / len(batch) + sharing
            for index, (logprobs, greedy) in zip(batch, found, strict=True):
                yield Scores(index, logprobs, greedy, seconds)

    def _lines(
        self, contexts: Sequence[Sequence[int]], trees: Sequence[ChoiceTree]
    ) -> Iterator[list[int]]:
        """Places of contexts that are read in one line, within the memory bounds."""
        most, logits = _TOKENS_PER_LINE[self.device], _LOGITS_PER_BATCH[self.device]
        line: list[int] = []
        tokens = wanted = 0
        for place, (context, tree) in enumerate(zip(contexts, trees, strict=True)):
            more, more_wanted = len(context) + len(tree.tokens), 1 + len(tree.tokens)
            full = (wanted + more_wanted) * self._vocabulary > logits
            if line and (tokens + more > most or full):
                yield line
                line, tokens, wanted = [], 0, 0
            line.append(place)
            tokens, wanted = tokens + more, wanted + more_wanted
        if line:
            yield line

    def _read_lines(
        self, contexts: list[Sequence[int]], trees: list[ChoiceTree], prefix: Prefix
    ) -> list[_Found]:
        """Read all contexts, each with its tree behind it, as one row without padding.

        A token sees the beginning and what is before it of its own context and tree.
        """
        import torch

        from strategies.attention import additive

        line: list[int] = []
        places: list[int] = []
        wanted: list[int] = []
        for context, tree in zip(contexts, trees, strict=True):
            end = len(line) + len(context)
            line += [*context, *tree.tokens]
            places += [*range(len(context)), *(len(context) + depth for depth in tree.depths)]
            wanted += range(end - 1, len(line))
        rows = self._rows([line], prefix)
        seen = torch.zeros((len(line), len(rows.lent.tokens) + len(line)), dtype=torch.bool)
        seen[:, : len(rows.lent.tokens)] = True
        own, start = seen[:, len(rows.lent.tokens) :], 0
        for context, tree in zip(contexts, trees, strict=True):
            middle, end = start + len(context), start + len(context) + len(tree.tokens)
            own[start:middle, start:middle].fill_(True).tril_()
            own[middle:end, start:middle] = True
            own[middle:end, middle:end] = tree.ancestry
            start = end
        with torch.inference_mode():
            logits = self._forward(
                torch.tensor([line]),
                additive(seen[None, None], self.model.dtype),
                rows,
                torch.tensor([places]) + len(rows.lent.tokens),
                torch.tensor(wanted),
            )[0]
        parts = logits.split([1 + len(tree.tokens) for tree in trees])
        return [_followed(tree, part) for tree, part in zip(trees, parts, strict=True)]

    def _read_rows(
        self, contexts: list[Sequence[int]], trees: list[ChoiceTree], prefix: Prefix
    ) -> list[_Found]:
        """Read every continuation in full, for models in which a token sees a window alone."""
        import torch

        found = []
        for context, tree in zip(contexts, trees, strict=True):
            answers = [[token for _, token in steps] for steps in tree.steps]
            longest = max(len(answer) for answer in answers)
            rows = [[*context, *answer[:-1]] for answer in answers]
            scored: dict[int, tuple[float, bool]] = {}
            for batch in self.batches([len(row) for row in rows], longest):
                with torch.inference_mode():
                    logits = self._prefill([rows[i] for i in batch], prefix, keep=longest)
                for i, row in zip(batch, logits, strict=True):
                    chain = choice_tree([answers[i]])
                    (logprob,), (greedy,) = _followed(chain, row[-len(answers[i]) :])
                    scored[i] = logprob, greedy
            each = [scored[i] for i in range(len(rows))]
            found.append((tuple(p for p, _ in each), tuple(g for _, g in each)))
        return found

    def _read_but_last(self, prompts: Sequence[Sequence[int]], prefix: Prefix) -> _Rows:
        """Read all of every prompt but its last token."""
        read = [prompt[:-1] for prompt in prompts]
        # Padded on the right, tokens see what is before them without a mask: half the work.
        rows = self._rows(read, prefix, right=self._attends_fully)
        if any(read):
            mask = None if self._attends_fully else rows.mask
            self._forward(self._padded(read, right=self._attends_fully), mask, rows)
        return rows

    def _prefill(self, prompts: Sequence[Sequence[int]], prefix: Prefix, keep: int) -> torch.Tensor:
        """Read prompts behind a beginning that they share.

        Returns:
            logits of the last ``keep`` positions, (rows, keep, vocabulary).
        """
        import torch

        rows = self._rows(prompts, prefix)
        ids = self._padded(prompts)
        kept = torch.arange(ids.shape[-1] - keep, ids.shape[-1])
        return self._forward(ids, rows.mask, rows, kept=kept)

    def _padded(self, prompts: Sequence[Sequence[int]], *, right: bool = False) -> torch.Tensor:
        import torch

        width = max(len(prompt) for prompt in prompts)
        pad = self.tokenizer.pad_token_id
        return torch.tensor([padded(prompt, width, pad, right=right) for prompt in prompts])

    def _rows(
        self, prompts: Sequence[Sequence[int]], prefix: Prefix, *, right: bool = False
    ) -> _Rows:
        """Rows of which nothing is read yet but the beginning."""
        import torch

        apart, lent = (prefix, Prefix()) if self._shares else (Prefix(), prefix)
        width = max(len(prompt) for prompt in prompts)
        seen = [1] * len(lent.tokens)
        mask = [[*seen, *padded([1] * len(p), width, 0, right=right)] for p in prompts]
        states = lent.cache(len(prompts), self.model.config)
        return _Rows(states, torch.tensor(mask, dtype=torch.long), lent, apart)

    def _step(self, ids: list[Sequence[int]], rows: _Rows) -> torch.Tensor:
        """Read one more token of every row; the logits behind it, (rows, vocabulary)."""
        import torch

        tokens = torch.tensor(ids)
        rows.mask = torch.cat([rows.mask, torch.ones_like(tokens)], dim=-1)
        return self._forward(tokens, rows.mask, rows)[:, -1]

    def _forward(
        self,
        ids: torch.Tensor,
        mask: torch.Tensor | None,
        rows: _Rows,
        positions: torch.Tensor | None = None,
        kept: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Read tokens.

        Args:
            ids: (rows, tokens).
            mask: over the cache and these tokens; None where padding stands behind all else.
            rows: to which they belong; they go into the cache.
            positions: behind what stands apart; None where they follow from the rows' mask.
            kept: places of the tokens whose logits are wanted; None for the last alone.

        Returns:
            (rows, wanted, vocabulary).
        """
        import torch

        width = ids.shape[-1]
        if kept is None:
            kept = torch.tensor([width - 1])
        if positions is None:
            positions = (rows.mask.cumsum(-1) - 1).clamp(min=0)[:, -width:]
        apart = {"beginning": rows.apart.states} if rows.apart.tokens else {}
        out = self.model(
            input_ids=ids.to(self.model.device),
            attention_mask=None if mask is None else mask.to(self.model.device),
            position_ids=(positions + len(rows.apart.tokens)).to(self.model.device),
            past_key_values=rows.cache,
            use_cache=True,
            # Named one by one: for a slice of one row torch copies the vocabulary projection.
            logits_to_keep=kept.to(self.model.device),
            **apart,
        )
        logits: torch.Tensor = out.logits
        return logits


@dataclass
class _Rows:
    """Prompts of a batch.

    Attributes:
        cache: keys and values of what was read of them.
        mask: what of the cache is no padding, (rows, tokens).
        lent: the beginning of all rows, where it stands in the cache.
        apart: the same, where attention reads it once for all of them.
    """

    cache: Any
    mask: torch.Tensor
    lent: Prefix
    apart: Prefix

    def keep(self, rows: list[int]) -> None:
        """Leave out the others."""
        import torch

        select = torch.tensor(rows)
        self.cache.reorder_cache(select)
        self.mask = self.mask[select]


# Log-likelihoods of a context's continuations, and whether greedy decoding gives them.
_Found = tuple[tuple[float, ...], tuple[bool, ...]]


def _followed(tree: ChoiceTree, logits: torch.Tensor) -> _Found:
    """What the logits of a context's end and of its nodes, (rows, vocabulary), say of a tree."""
    import torch

    steps = torch.tensor([step for steps in tree.steps for step in steps]).to(logits.device)
    rows, tokens = steps[:, 0], steps[:, 1]
    top = logits.float().max(-1)
    # Cross entropy goes over the vocabulary once, logsumexp five times.
    losses = torch.nn.functional.cross_entropy(logits.float(), top.indices, reduction="none")
    norms = top.values + losses
    logprobs = iter((logits[rows, tokens].float() - norms[rows]).tolist())
    hits = iter((top.indices[rows] == tokens).tolist())
    return (
        tuple(sum(next(logprobs) for _ in steps) for steps in tree.steps),
        tuple(all([next(hits) for _ in steps]) for steps in tree.steps),
    )


def _batched(
    groups: Sequence[tuple[Prefix, list[int]]],
    split: Callable[[Prefix, list[int]], Iterator[list[int]]],
    skip: Collection[int],
) -> Iterator[tuple[Prefix, list[int]]]:
    """The groups in batches, without those of which every place is skipped."""
    for prefix, places in groups:
        for batch in split(prefix, places):
            chosen = [places[n] for n in batch]
            if not set(chosen) <= set(skip):
                yield prefix, chosen


def _closed_up(kept: Sequence[bool]) -> list[int]:
    """The rows that are kept, the last of them moved to where earlier ones leave."""
    rows = [row for row, stays in enumerate(kept) if stays]
    moving = iter(reversed(rows))
    return [row if stays else next(moving) for row, stays in enumerate(kept[: len(rows)])]


def _end_ids(model: Any) -> frozenset[int]:
    """Tokens at which plain transformers ends a generation."""
    ids = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    if ids is None:
        return frozenset()
    return frozenset(ids if isinstance(ids, list) else [ids])


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
            # Both factors are bf16 numbers: a CPU's bf16 products, summed in fp32, lose nothing.
            matmul = torch.backends.mkldnn.matmul
            before, matmul.fp32_precision = matmul.fp32_precision, "bf16"
            try:
                return super().forward(hidden.float())
            finally:
                matmul.fp32_precision = before

    exact = ExactHead(
        head.in_features, head.out_features, head.bias is not None, dtype=torch.float32
    )
    exact.load_state_dict({name: value.float() for name, value in head.state_dict().items()})
    model.set_output_embeddings(exact.to(head.weight.device).requires_grad_(False))
    return model
