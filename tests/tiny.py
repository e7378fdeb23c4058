"""A two-layer random language model and a word-hashing embedder, for tests of the plumbing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEXTS = (
    "Sort the message. Answer with red or blue.",
    "the sky over the sea is blue today",
    "a ripe tomato and a fire engine are red",
    "which colour has it? yes no maybe one two three",
)

SHAPE = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}


def make_tiny_model(folder: Path, *, chat: bool = True) -> Path:
    """Write a random Llama of two layers with a byte-level tokenizer into a folder."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|endoftext|>",
        eos_token="<|im_end|>" if chat else "<|endoftext|>",
        pad_token="<|endoftext|>",
    )
    if chat:
        wrapped.chat_template = CHAT_TEMPLATE
    wrapped.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(wrapped),
        **SHAPE,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.5,
        bos_token_id=wrapped.bos_token_id,
        eos_token_id=wrapped.eos_token_id,
        pad_token_id=wrapped.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


class HashingEmbedder:
    """Texts that share words are near; no model, no file."""

    sha256 = "0" * 64
    seconds = 0.0
    max_tokens = 64

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([self._vector(text) for text in texts])

    embed_fresh = embed

    def load(self) -> None:
        pass

    def _vector(self, text: str) -> Any:
        vector = np.full(256, 1e-6, dtype=np.float32)
        for word in text.lower().split():
            vector[int(hashlib.sha256(word.encode()).hexdigest(), 16) % 256] += 1
        return vector / np.linalg.norm(vector)


def make_tiny_gguf(path: Path, model: Path, *, dtype: str = "float32") -> Path:
    """Write a random Qwen2 of one layer as GGUF, with the tokenizer of a tiny model."""
    from gguf import GGUFWriter

    words = json.loads((model / "tokenizer.json").read_text())["model"]
    tokens = sorted(words["vocab"], key=words["vocab"].get)
    writer = GGUFWriter(path, "qwen2")
    writer.add_block_count(1)
    writer.add_context_length(512)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token.startswith("<|") else 1 for token in tokens])
    writer.add_token_merges([" ".join(merge) for merge in words["merges"]])
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_chat_template(CHAT_TEMPLATE)
    draw = np.random.default_rng(0)
    for name, shape in _gguf_shapes(len(tokens)).items():
        writer.add_tensor(name, draw.normal(size=shape).astype(dtype))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _gguf_shapes(vocabulary: int) -> dict[str, tuple[int, ...]]:
    layer = {
        "attn_norm.weight": (32,),
        "attn_q.weight": (32, 32),
        "attn_q.bias": (32,),
        "attn_k.weight": (16, 32),
        "attn_k.bias": (16,),
        "attn_v.weight": (16, 32),
        "attn_v.bias": (16,),
        "attn_output.weight": (32, 32),
        "ffn_norm.weight": (32,),
        "ffn_gate.weight": (64, 32),
        "ffn_up.weight": (64, 32),
        "ffn_down.weight": (32, 64),
    }
    return {
        "token_embd.weight": (vocabulary, 32),
        **{f"blk.0.{name}": shape for name, shape in layer.items()},
        "output_norm.weight": (32,),
        "output.weight": (vocabulary, 32),
    }
