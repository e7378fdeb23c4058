"""Small tokenizers in the styles of the field, trained where they are needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

from tests.tiny import CHAT_TEMPLATE, TEXTS

_BYTES = pre_tokenizers.ByteLevel.alphabet()
_ASCII = [chr(code) for code in range(33, 127)]
_LLAMA = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'assistant' %} {{ m['content'] }} "
    "{{ eos_token }}{% elif m['role'] == 'system' %}<<SYS>>\n{{ m['content'] | trim }}\n<</SYS>>\n"
    "{% else %}[INST] {{ m['content'] | trim }} [/INST]{% endif %}{% endfor %}"
)
_THINKING = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['role'] == 'assistant' %}{{ m['content'].split('</think>')[-1].lstrip('\n') }}"
    "{% else %}{{ m['content'] }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    "{# <tool_call> #}"
)


def _wrapped(tokenizer: Tokenizer, template: str | None = None, **named: str) -> Any:
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named)
    wrapped.chat_template = template
    return wrapped


def chatml() -> Any:
    """Byte-level BPE with ChatML's turns."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer.train_from_iterator(
        TEXTS,
        trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=_BYTES),
    )
    return _wrapped(
        tokenizer,
        CHAT_TEMPLATE,
        bos_token="<|endoftext|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
    )


def thinking() -> Any:
    """ChatML with tokens that control without being special, and a run of spaces that is text."""
    wrapped = chatml()
    marks = ("<think>", "</think>", "<tool_call>", "    ")
    wrapped.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in marks])
    wrapped.chat_template = _THINKING
    return wrapped


def sentencepiece_bpe() -> Any:
    """BPE over ``▁`` with BOS and a space before the first word, as Llama 2 has it today."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first", split=False)
    _train_llama(tokenizer)
    return _wrapped(tokenizer, _LLAMA, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def legacy_sentencepiece_bpe() -> Any:
    """The same with a space before every piece of text, as Llama 2 once had it."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    steps = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    tokenizer.normalizer = normalizers.Sequence(steps)
    steps = [decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(steps)
    _train_llama(tokenizer)
    return _wrapped(tokenizer, _LLAMA, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def _train_llama(tokenizer: Tokenizer) -> None:
    special = ["<unk>", "<s>", "</s>"]
    # A merge makes "</s>" of two parts, as in vocabularies that were converted.
    texts = [*TEXTS, *["a</s>b", "c</s>d"] * 50]
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=400, special_tokens=special, initial_alphabet=[*_ASCII, "▁", "\n"]
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )


def unigram() -> Any:
    """Unigram without a template that appends EOS, as T5 does; EOS has the best score of all."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = ["<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(
        [*TEXTS, *_ASCII],
        trainers.UnigramTrainer(
            vocab_size=300, special_tokens=special, unk_token="<unk>", initial_alphabet=_ASCII
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return _wrapped(tokenizer, eos_token="</s>", unk_token="<unk>", pad_token="<pad>")


def wordpiece() -> Any:
    """WordPiece in lower case between ``[CLS]`` and ``[SEP]``, as in BERT."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer.train_from_iterator(
        TEXTS,
        trainers.WordPieceTrainer(
            vocab_size=400, special_tokens=special, initial_alphabet=[*_ASCII, "\n"]
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return _wrapped(
        tokenizer,
        cls_token="[CLS]",
        sep_token="[SEP]",
        eos_token="[SEP]",
        unk_token="[UNK]",
        pad_token="[PAD]",
    )


ZOO: dict[str, Callable[[], Any]] = {
    "chatml": chatml,
    "thinking": thinking,
    "sentencepiece-bpe": sentencepiece_bpe,
    "legacy-sentencepiece-bpe": legacy_sentencepiece_bpe,
    "unigram": unigram,
    "wordpiece": wordpiece,
}
