"""Activations that training keeps for the backward pass: bytes a token in one layer.

What is counted is what autograd saves in the modelling files of transformers 5 run by PyTorch's
unfused operators, after the manner of Korthikanti et al. 2022, arXiv:2205.05198, section 4.1,
whose ``34 s b h + 5 a s^2 b`` is the same sum for GPT-2's layer with dropout. Frozen weights need
no input of theirs kept; a frozen layer still keeps what its non-linear parts need.

Letters: d hidden width, q width of all query heads, k width of all key heads, f feed-forward
width, c bytes of a number in matrix products.
"""

from __future__ import annotations

from advisor.estimates.setup import Setup
from advisor.estimates.shapes import Linear, ModelShape, targets


def layer_bytes(shape: ModelShape, setup: Setup, *, padded: bool = True) -> int:
    """Bytes that one layer keeps for every token.

    Args:
        shape: of the model.
        setup: of the training.
        padded: the batch is padded; ``sdpa`` then makes a mask in every layer and copies
            keys and values of grouped heads to every query head.
    """
    return (
        norm_bytes(shape, setup)
        + attention_bytes(shape, setup, padded=padded)
        + mlp_bytes(shape, setup)
        + linear_input_bytes(shape, setup)
        + adapter_bytes(shape, setup)
    )


def norm_bytes(shape: ModelShape, setup: Setup) -> int:
    """Inputs of the norms.

    RMSNorm squares an fp32 copy and keeps it: 4d; its own weight, if trained, needs the
    normalised values too. LayerNorm keeps its input as it is. Source: ``LlamaRMSNorm``,
    ``Gemma2RMSNorm`` and ``torch.nn.LayerNorm``.
    """
    width = shape.layout.norm_inputs * shape.hidden
    if shape.layout.qk_norm:
        width += shape.query_width + shape.kv_width
    return width * _norm_bytes_a_value(shape, setup)


def _norm_bytes_a_value(shape: ModelShape, setup: Setup) -> int:
    if shape.layout.norm == "layer":
        return 4 if setup.precision == "bf16-mixed" else setup.base_bytes
    if setup.method != "full":
        return 4
    return 4 + (4 if shape.layout.norm == "gemma" else setup.base_bytes)


def attention_bytes(shape: ModelShape, setup: Setup, *, padded: bool = True) -> int:
    """Queries, keys, values, and what the kernel keeps.

    ``sdpa`` and ``flash`` keep the output (c q) and one fp32 number a head; ``eager`` keeps the
    fp32 softmax over the sequence and its cast: (4 + c) s a head. A padding mask of ``sdpa`` is
    made additive in every layer: c s. Values that are a part of one joint tensor keep all of it:
    c (q + k) more. Source: Dao 2023, arXiv:2307.08691, and ``eager_attention_forward`` and
    ``sdpa_attention_forward`` of transformers.
    """
    c, q = setup.compute_bytes, shape.query_width
    if setup.attention == "eager":
        scores = 4 + (c if c == 2 else 0) + (c if shape.attention_softcap else 0)
        output = c * q if setup.method == "full" else 0
        return 3 * c * q + output + scores * shape.heads * _keys(setup)
    masked = padded and setup.attention == "sdpa"
    repeats = masked and shape.kv_heads < shape.heads
    keys_and_values = 2 * c * (q if repeats else shape.kv_width)
    rest_of_joint = c * (q + shape.kv_width) if _joint(shape) and not repeats else 0
    mask = c * _keys(setup) if masked else 0
    return 2 * c * q + keys_and_values + rest_of_joint + mask + 4 * shape.heads


def _joint(shape: ModelShape) -> bool:
    """Whether rotated queries and keys are written anew beside a joint projection."""
    return shape.layout.fused and not shape.layout.learned_positions


def _keys(setup: Setup) -> int:
    """Keys that a token attends to, also masked ones."""
    virtual = setup.virtual_tokens if setup.method in ("prompt-tuning", "prefix-tuning") else 0
    return setup.sequence + virtual


def mlp_bytes(shape: ModelShape, setup: Setup) -> int:
    """What the non-linear part keeps, c f a tensor, and a byte a dropped value of the outputs."""
    kept = setup.compute_bytes * shape.intermediate * shape.layout.kept
    return kept + shape.layout.dropouts * shape.hidden


def linear_input_bytes(shape: ModelShape, setup: Setup) -> int:
    """Inputs that trained linear weights need, where nothing else keeps them.

    Full fine-tuning: the normalised input of attention and of the feed-forward layer, once each
    (c d), and the input of the last linear weight (c f). The attention's output is kept by the
    kernel, and once more (c q) where rotation has changed its layout. Under autocast the norms
    give fp32, and each linear weight casts its own copy.
    """
    if setup.method != "full":
        return 0
    c = setup.compute_bytes
    reads = [linear for linear in shape.linears if linear.d_in == shape.hidden]
    reads = [linear for linear in reads if not _after_attention(linear)]
    copies = len(reads) if setup.precision == "bf16-mixed" else 2
    moved = shape.query_width if _joint(shape) and setup.attention != "eager" else 0
    return c * (copies * shape.hidden + shape.intermediate + moved)


def _after_attention(linear: Linear) -> bool:
    return linear.name in ("o_proj", "dense", "attn.c_proj")


def adapter_bytes(shape: ModelShape, setup: Setup) -> int:
    """What the adapters of a layer keep.

    PEFT casts the input of every wrapped weight to the adapter's fp32 and keeps that copy (4
    d_in); under autocast the copy is cast down again (2 d_in); in fp32 the copies are one. DoRA
    also keeps the base result and the low-rank result; IA3 what it scales. Source: PEFT's
    ``lora/layer.py``, ``lora/dora.py``, ``ia3/layer.py``.
    """
    if setup.method == "ia3":
        return sum(_ia3_bytes(linear, setup) for linear in ia3_targets(shape))
    if not setup.low_rank:
        return 0
    wrapped = targets(shape, setup.targets)
    a = 2 if setup.precision == "bf16-mixed" else 4
    kept = sum(a * setup.rank for _ in wrapped) + _lora_input_bytes(wrapped, setup)
    if setup.dora:
        kept += sum((setup.compute_bytes + a) * linear.d_out for linear in wrapped)
    return kept


def _lora_input_bytes(wrapped: tuple[Linear, ...], setup: Setup) -> int:
    if setup.precision != "fp32":
        a = 2 if setup.precision == "bf16-mixed" else 4
        return sum(a * linear.d_in for linear in wrapped)
    kept_already = setup.attention != "eager"
    inputs = {
        linear.name if _after_attention(linear) else _input_of(linear): linear.d_in
        for linear in wrapped
        if not (kept_already and _after_attention(linear))
    }
    return 4 * sum(inputs.values())


def _input_of(linear: Linear) -> str:
    """Linear weights of a layer that read the same tensor answer alike."""
    narrows = linear.name in ("down_proj", "dense_4h_to_h", "mlp.c_proj")
    return linear.name if narrows else linear.block


def ia3_targets(shape: ModelShape) -> tuple[Linear, ...]:
    """Keys, values and the last feed-forward weight. Source: Liu et al. 2022, arXiv:2205.05638.

    Where keys and values come from one joint weight, all of its output is scaled.
    """
    names = {"k_proj", "v_proj", "qkv_proj", "query_key_value", "c_attn"}
    return tuple(x for x in shape.linears if x.name in names or _input_of(x) == x.name)


def _ia3_bytes(linear: Linear, setup: Setup) -> int:
    feed_forward = linear.block == "mlp"
    return 4 * linear.d_in if feed_forward else setup.compute_bytes * linear.d_out


def logit_bytes(shape: ModelShape, setup: Setup) -> int:
    """Bytes that one position takes at the start of the backward pass, a word of the vocabulary.

    The logits themselves (c; fp32 where autocast's wrapper returns them so), the log-softmax of
    their fp32 copy (4), its gradient (4) and that of the loss (4); capped logits keep their
    tanh (c). Source: ``ForCausalLMLoss`` of transformers and ``convert_outputs_to_fp32`` of
    accelerate.
    """
    c = setup.compute_bytes
    held = 4 if setup.precision == "bf16-mixed" else c
    return held + 12 + (c if shape.final_softcap else 0)


def outer_bytes(shape: ModelShape, setup: Setup) -> int:
    """Bytes a token that the last norm and the output layer keep."""
    norm = shape.hidden * _norm_bytes_a_value(shape, setup)
    return norm + (setup.compute_bytes * shape.hidden if setup.method == "full" else 0)
