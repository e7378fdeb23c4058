"""Answers prompts: scores closed sets of choices and generates open answers, in batches.

Both keep what plain `transformers` and lm-eval's ``hf`` model would answer; they leave out
work that need not be done (Pope et al. 2022, arXiv:2211.05102, on key-value caches).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any

from strategies.choices import ChoiceTree, choice_tree
from strategies.errors import ModelError
from strategies.models import context_length
from strategies.prefix import LEAST_SHARED, Prefix, attends_fully, common_beginning
from strategies.rendering import Renderer

if TYPE_CHECKING:
    import torch

# Tokens held at once, padding included: bounds memory, keeps two cores busy.
_TOKENS_PER_BATCH = {"cpu": 8_192, "cuda": 131_072}
_ROWS_PER_BATCH = {"cpu": 16, "cuda": 128}
# Logits in fp32 held at once: half a GiB, four on a GPU.
_LOGITS_PER_BATCH = {"cpu": 2**27, "cuda": 2**30}


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
        self._attends_fully = attends_fully(self.model)
        self._prefix = Prefix()

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
            _, cache, _ = self._prefill([tokens], Prefix())
        return Prefix.of(cache, tokens)

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int,
        stop: Sequence[str] = (),
        skip: Collection[int] = (),
    ) -> Iterator[Generation]:
        """Greedy answers, each as soon as its batch is done.

        Args:
            prompts: tokens of every prompt, at least one each.
            max_new_tokens: longest answer.
            stop: an answer ends before the first of these texts.
            skip: places of prompts that need no answer; a batch of such alone is left out.
        """
        stops = (*self.renderer.stop_texts, *stop)
        start = time.perf_counter()
        groups = list(self._grouped(prompts))
        sharing = (time.perf_counter() - start) / max(1, len(prompts))
        for prefix, batch in self._batched(groups, [len(prompt) for prompt in prompts], skip):
            start = time.perf_counter()
            rest = [prompts[i][len(prefix.tokens) :] for i in batch]
            rows = self._decode(rest, prefix, max_new_tokens, stops)
            seconds = (time.perf_counter() - start) / len(batch) + sharing
            for index, (tokens, margins) in zip(batch, rows, strict=True):
                text = self._text(tokens, stops)
                yield Generation(index, text, tuple(tokens), tuple(margins), seconds)

    def _batched(
        self,
        groups: Sequence[tuple[Prefix, list[int]]],
        lengths: Sequence[int],
        skip: Collection[int],
        positions: int = 1,
    ) -> Iterator[tuple[Prefix, list[int]]]:
        for prefix, places in groups:
            for batch in self.batches([lengths[n] for n in places], positions):
                if not {places[n] for n in batch} <= set(skip):
                    yield prefix, [places[n] for n in batch]

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
            logits, cache, mask = self._prefill(prompts, prefix)
            make_room(cache, max_new_tokens)
            logits = logits[:, -1]
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
                    select = torch.tensor(kept, device=mask.device)
                    cache.reorder_cache(select)
                    mask = mask[select]
                    alive = [alive[row] for row in kept]
                logits, mask = self._step([tokens[item][-1:] for item in alive], cache, mask)
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
        trees = [choice_tree(each) for each in continuations]
        groups = list(self._grouped(contexts))
        sharing = (time.perf_counter() - start) / max(1, len(contexts))
        read = self._read_trees if self._attends_fully else self._read_rows
        lengths = [len(c) + len(t.tokens) for c, t in zip(contexts, trees, strict=True)]
        most = max((len(tree.tokens) for tree in trees), default=0) + 1
        for prefix, batch in self._batched(groups, lengths, skip, most):
            begin = time.perf_counter()
            rest = [contexts[i][len(prefix.tokens) :] for i in batch]
            found = read(rest, [trees[i] for i in batch], prefix)
            seconds = (time.perf_counter() - begin) / len(batch) + sharing
            for i, (logprobs, greedy) in zip(batch, found, strict=True):
                yield Scores(i, logprobs, greedy, seconds)

    def _read_trees(
        self, contexts: list[Sequence[int]], trees: list[ChoiceTree], prefix: Prefix
    ) -> list[_Found]:
        """Read every context, then its tree in one pass."""
        import torch

        with torch.inference_mode():
            logits, cache, mask = self._prefill(contexts, prefix)
            parts = [logits]
            if any(tree.tokens for tree in trees):
                parts.append(self._read_nodes(trees, cache, mask))
        return [_followed(tree, [part[row] for part in parts]) for row, tree in enumerate(trees)]

    def _read_nodes(self, trees: list[ChoiceTree], cache: Any, mask: torch.Tensor) -> torch.Tensor:
        """Logits behind every node of every tree: (rows, most nodes, vocabulary)."""
        import torch

        rows, nodes = len(trees), max(len(tree.tokens) for tree in trees)
        ids = torch.full((rows, nodes), self.tokenizer.pad_token_id)
        depths = torch.zeros((rows, nodes), dtype=torch.long)
        # Padding sees itself, so that no row of the softmax is empty.
        seen = torch.eye(nodes, dtype=torch.bool).repeat(rows, 1, 1)
        for row, tree in enumerate(trees):
            size = len(tree.tokens)
            ids[row, :size] = torch.tensor(tree.tokens, dtype=torch.long)
            depths[row, :size] = torch.tensor(tree.depths, dtype=torch.long)
            seen[row, :size, :size] = tree.ancestry()
        before = mask.bool()[:, None].expand(-1, nodes, -1)
        out = self.model(
            input_ids=ids.to(mask.device),
            attention_mask=_additive(
                torch.cat([before, seen.to(mask.device)], dim=-1), self.model.dtype
            ),
            position_ids=mask.sum(-1, keepdim=True) + depths.to(mask.device),
            past_key_values=cache,
            use_cache=True,
        )
        logits: torch.Tensor = out.logits
        return logits

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
                    logits, _, _ = self._prefill([rows[i] for i in batch], prefix, keep=longest)
                for i, row in zip(batch, logits, strict=True):
                    chain = choice_tree([answers[i]])
                    (logprob,), (greedy,) = _followed(chain, [row[-len(answers[i]) :]])
                    scored[i] = logprob, greedy
            each = [scored[i] for i in range(len(rows))]
            found.append((tuple(p for p, _ in each), tuple(g for _, g in each)))
        return found

    def _prefill(
        self, prompts: Sequence[Sequence[int]], prefix: Prefix, keep: int = 1
    ) -> tuple[torch.Tensor, Any, torch.Tensor]:
        """Read prompts, left-padded, behind a beginning that they share.

        Returns:
            logits of the last ``keep`` positions, (rows, keep, vocabulary); the cache; its mask.
        """
        import torch

        width = max(len(prompt) for prompt in prompts)
        pad = self.tokenizer.pad_token_id
        seen = [1] * len(prefix.tokens)
        ids = torch.tensor([[*[pad] * (width - len(p)), *p] for p in prompts])
        mask = torch.tensor([[*seen, *[0] * (width - len(p)), *[1] * len(p)] for p in prompts])
        ids, mask = ids.to(self.model.device), mask.to(self.model.device)
        cache = prefix.cache(len(prompts), self.model.config)
        out = self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(-1) - 1).clamp(min=0)[:, -width:],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=keep,
        )
        return out.logits, cache, mask

    def _step(
        self, ids: list[list[int]], cache: Any, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Read one more token of every row; the logits behind it and the longer mask."""
        import torch

        tokens = torch.tensor(ids, device=mask.device)
        positions = mask.sum(-1, keepdim=True)
        mask = torch.cat([mask, torch.ones_like(tokens)], dim=-1)
        out = self.model(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        )
        return out.logits[:, -1], mask


# Log-likelihoods of a context's continuations, and whether greedy decoding gives them.
_Found = tuple[tuple[float, ...], tuple[bool, ...]]


def _followed(tree: ChoiceTree, parts: Sequence[torch.Tensor]) -> _Found:
    """What the logits of a context's end, then of its nodes, say of a tree.

    Args:
        tree: the continuations.
        parts: one row after the other, (some rows, vocabulary) each; never joined, being large.
    """
    import torch

    steps = torch.tensor([step for steps in tree.steps for step in steps])
    rows, tokens = steps[:, 0], steps[:, 1]
    norms = torch.cat([part.float().logsumexp(-1) for part in parts]).cpu()
    best = torch.cat([part.argmax(-1) for part in parts]).cpu()
    logits, before = torch.empty(len(tokens)), 0
    for part in parts:
        here = (rows >= before) & (rows < before + len(part))
        logits[here] = part[rows[here] - before, tokens[here]].float().cpu()
        before += len(part)
    logprobs = iter((logits - norms[rows]).tolist())
    hits = iter((best[rows] == tokens).tolist())
    return (
        tuple(sum(next(logprobs) for _ in steps) for steps in tree.steps),
        tuple(all([next(hits) for _ in steps]) for steps in tree.steps),
    )


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


def _additive(seen: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A mask (rows, queries, keys) as every attention kernel takes it: 0 or the lowest number."""
    import torch

    mask = torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)
    return mask[:, None]


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
