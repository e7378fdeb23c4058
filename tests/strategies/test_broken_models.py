"""Damaged, incomplete and foreign models: one message each, before anything runs with them."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from strategies.errors import ModelError
from strategies.model_checks import look_at_embedder, look_at_model
from strategies.models import resolve
from strategies.trial_build import check_that_it_builds
from tests.tiny import make_tiny_gguf

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 538090408\n"
WEIGHTS, TOKENIZER, INDEX = "model.safetensors", "tokenizer.json", "model.safetensors.index.json"


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of a whole tiny model, to be broken."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def _edited(name: str, **values: Any) -> Callable[[Path], object]:
    """Writes values into a JSON file of a model; None takes a key out."""

    def edit(folder: Path) -> None:
        content = json.loads((folder / name).read_text()) | values
        kept = {key: value for key, value in content.items() if value is not None}
        (folder / name).write_text(json.dumps(kept))

    return edit


def _config(**values: Any) -> Callable[[Path], object]:
    return _edited("config.json", **values)


def _text(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


def _cut(name: str, kept: int) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:kept])


def _rewritten(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Path], object]:
    def rewrite(folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        save_file(change(load_file(folder / WEIGHTS)), folder / WEIGHTS, {"format": "pt"})

    return rewrite


def _nan(weights: dict[str, Any], dtype: str) -> dict[str, Any]:
    import torch

    nan = torch.full_like(weights["model.norm.weight"], float("nan"))
    weights = weights | {"model.norm.weight": nan}
    return {name: value.to(getattr(torch, dtype)) for name, value in weights.items()}


def _header_beyond_the_file(folder: Path) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(content) * 2) + content[8:])


def _indexed(**places: str) -> Callable[[Path], object]:
    def index(folder: Path) -> None:
        (folder / WEIGHTS).rename(folder / "model-00001-of-00002.safetensors")
        weight_map = {"a": "model-00001-of-00002.safetensors", **places}
        (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}))

    return index


def _with_index(text: str | None) -> Callable[[Path], object]:
    """A shard beside an index of that text, or without one."""

    def spoil(folder: Path) -> None:
        _indexed()(folder)
        (folder / INDEX).unlink() if text is None else (folder / INDEX).write_text(text)

    return spoil


def _no_tokenizer(folder: Path) -> None:
    for file in folder.glob("tokenizer*"):
        file.unlink()


def _tokenizer_of_another_model(folder: Path) -> None:
    content = json.loads((folder / TOKENIZER).read_text())
    vocabulary = content["model"]["vocab"]
    vocabulary |= {f"word{n}": len(vocabulary) + n for n in range(100)}
    (folder / TOKENIZER).write_text(json.dumps(content))


def _chat_token_without_a_row(folder: Path) -> None:
    content = json.loads((folder / TOKENIZER).read_text())
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    token = {"id": 353, "content": "<|turn|>", "special": True, **flags}
    content["added_tokens"].append(token)
    (folder / TOKENIZER).write_text(json.dumps(content))
    (folder / "chat_template.jinja").write_text("<|turn|>{{ messages[0]['content'] }}")


def _bert(folder: Path) -> None:
    _config(model_type="bert", architectures=["BertForMaskedLM"])(folder)


def _adapter_of_a_base_that_is_nowhere(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": ""}
    (folder / "adapter_config.json").write_text(json.dumps(config))


def _emptied(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


# What is done to a whole model; what the message names; what it says to do.
ZOO: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "weights of no bytes": (_cut(WEIGHTS, 0), "model.safetensors: .* an empty file", "again"),
    "weights cut in the header": (_cut(WEIGHTS, 300), "model.safetensors: .* not whole", "again"),
    "weights cut in the values": (
        _cut(WEIGHTS, 100_000),
        r"model.safetensors: .* not whole .* 100,000 bytes",
        "download it again",
    ),
    "a header beyond the file": (_header_beyond_the_file, "model.safetensors: ", "again"),
    "weights are text": (_text(WEIGHTS, "Entry not found"), "model.safetensors: ", "again"),
    "weights are a web page": (_text(WEIGHTS, "<html>"), "a web page", "download the file itself"),
    "weights are a pickle": (_text(WEIGHTS, "PK\x03\x04 pickle"), "PyTorch's own format", "again"),
    "weights are a pointer": (_text(WEIGHTS, POINTER), "model.safetensors only points", "lfs pull"),
    "tokenizer is a pointer": (_text(TOKENIZER, POINTER), "tokenizer.json only p", "git lfs pull"),
    "a shard is missing": (
        _indexed(b="model-00002-of-00002.safetensors"),
        "missing: model-00002-of-00002.safetensors",
        "Download them into",
    ),
    "an index leaves the folder": (_indexed(b="../x.safetensors"), r"names \.\./x", "correct the"),
    "an index without files": (
        _with_index("{}"),
        "no weight_map",
        "again",
    ),
    "an index that is a list": (
        _with_index("[]"),
        "index.json must hold a JSON object",
        "again",
    ),
    "a shard without an index": (
        _with_index(None),
        "model-00001-of-00002.safetensors, but neither",
        "Download the index",
    ),
    "a layer is missing": (
        _rewritten(lambda ws: {k: v for k, v in ws.items() if ".layers.1." not in k}),
        "nothing of layer 1",
        "download the folder again",
    ),
    "weights are NaN": (_rewritten(lambda ws: _nan(ws, "float32")), "hold NaN", "checkpoint"),
    "weights are NaN in fp16": (_rewritten(lambda ws: _nan(ws, "float16")), "hold NaN", "check"),
    "weights are NaN in bf16": (_rewritten(lambda ws: _nan(ws, "bfloat16")), "hold NaN", "check"),
    "no tokenizer": (_no_tokenizer, "holds no tokenizer", "Copy the model's tokenizer.json"),
    "tokenizer is cut": (_cut(TOKENIZER, 500), "tokenizer.json: the tokenizer", "again"),
    "tokenizer of nothing": (_text(TOKENIZER, "{}"), "tokenizer.json: the tokenizer", "again"),
    "tokenizer_config is a list": (
        _text("tokenizer_config.json", "[]"),
        "tokenizer_config.json must hold",
        "again",
    ),
    "tokenizer of another model": (
        _tokenizer_of_another_model,
        "453 tokens, .* 353 rows",
        "take the one that came with",
    ),
    "padding with an unknown token": (
        _edited("tokenizer_config.json", pad_token="<|never|>"),
        "pad_token '<|never|>' has no row",
        "resize_token_embeddings",
    ),
    "a chat token without a row": (
        _chat_token_without_a_row,
        "'<|turn|>' of the chat template has no row",
        "resize",
    ),
    "padding beyond the vocabulary": (_config(pad_token_id=353), "pad_token_id is 353", "0 to 352"),
    "config is no JSON": (_text("config.json", "{"), "config.json is no JSON", "again"),
    "config is a list": (_text("config.json", "[1]"), "config.json must hold", "holds a list"),
    "config nests without end": (_text("config.json", "[" * 100_000), "config.json is no", "again"),
    "no model_type": (_config(model_type=None), 'has no "model_type"', "came with the weights"),
    "unknown model_type": (_config(model_type="lama"), "'lama' is not known", "mean 'llama'"),
    "BERT": (_bert, "bert is an encoder", "decoder-only"),
    "T5": (_config(model_type="t5"), "t5 is an encoder-decoder", "decoder-only"),
    "BART": (
        _config(model_type="bart", architectures=["BartForConditionalGeneration"]),
        "bart is an encoder-decoder",
        "decoder-only",
    ),
    "vision and language": (_config(model_type="llava"), "a vision-language model", "decoder-only"),
    "speech": (_config(model_type="whisper"), "whisper is a speech or audio model", "decoder-only"),
    "images": (_config(model_type="vit"), "vit is no language model", "decoder-only"),
    "a classifier": (
        _config(architectures=["LlamaForSequenceClassification"]),
        "LlamaForSequenceClassification: its last layer classifies",
        "made from",
    ),
    **{
        f"quantised by {how}": (
            _config(quantization_config={"quant_method": how}),
            rf"config.json: the weights are quantised \({how}\)",
            "in full precision",
        )
        for how in ("bitsandbytes", "gptq", "awq")
    },
    "dtype of nothing": (_config(torch_dtype="float99"), "torch_dtype is 'float99'", "bfloat16"),
    "dtype is a number": (_config(dtype=32), "dtype is 32", "allowed: float32"),
    "a billion layers": (_config(num_hidden_layers=10**9), "counts 1000000000 layers", "missing"),
    "no layers": (_config(num_hidden_layers=0), "num_hidden_layers is 0", "1 or more"),
    "architectures are a number": (
        _config(architectures=1, num_hidden_layers=0),
        "num_hidden_layers is 0",
        "1 or more",
    ),
    "a width below nothing": (_config(hidden_size=-32), "hidden_size is -32", "1 or more"),
    "heads in words": (
        _config(num_attention_heads="four"),
        "num_attention_heads is 'four'",
        "1 or",
    ),
    "a larger vocabulary": (_config(vocab_size=400), "vocab_size 400", "from one place"),
    "another width": (_config(hidden_size=64), "width of 64, .* 353 by 32", "from one place"),
    "an adapter alone": (
        _adapter_of_a_base_that_is_nowhere,
        "adapter_model.safetensors",
        "save it",
    ),
    "an empty folder": (_emptied, "holds no config.json", "needs config.json, weights"),
    "weights as .bin alone": (
        lambda folder: (folder / WEIGHTS).rename(folder / "pytorch_model.bin"),
        "its weights are in pytorch_model.bin",
        "Convert",
    ),
}


@pytest.mark.fault("a model's folder is damaged, incomplete or of another kind")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", ZOO)
def test_a_broken_model_is_told_in_one_message_before_it_is_loaded(folder: Path, case: str) -> None:
    spoil, named, remedy = ZOO[case]
    look_at_model(str(folder))
    spoil(folder)
    with pytest.raises(ModelError, match=named) as refused:
        look_at_model(str(folder))
    message = str(refused.value)
    assert remedy in message
    assert str(folder) in message
    assert "\n" not in message
    assert refused.value.exit_code == 4


def test_all_that_is_wrong_with_a_model_is_told_together(folder: Path) -> None:
    _config(num_hidden_layers=-1, torch_dtype="x")(folder)
    _cut(WEIGHTS, 9)(folder)
    _cut(TOKENIZER, 9)(folder)
    with pytest.raises(ModelError) as refused:
        look_at_model(str(folder))
    lines = str(refused.value).splitlines()
    assert [line.split(": ")[0].rpartition("/")[2] for line in lines] == [
        "config.json", "config.json", WEIGHTS, TOKENIZER,
    ]  # fmt: skip


# Shapes of models that are whole, though they are not built like the tiny one.
@pytest.mark.parametrize(
    "change",
    [
        _config(torch_dtype="bfloat16", dtype=None),
        _config(pad_token_id=-1),
        _config(pad_token_id=None, architectures=None),
        _config(intermediate_size=[64, 64]),
        _edited("tokenizer_config.json", pad_token={"content": "<|im_end|>"}),
        _edited("tokenizer_config.json", pad_token=None),
        _rewritten(lambda ws: {k: v for k, v in ws.items() if k != "lm_head.weight"}),
        lambda folder: (folder / "generation_config.json").unlink(),
        # Gemma 3 has one token more than rows, which stands for an image.
        lambda folder: (
            _chat_token_without_a_row(folder),
            (folder / "chat_template.jinja").write_text("{{ messages[0]['content'] }}"),
        ),
    ],
)
def test_a_model_that_is_whole_is_not_refused(
    folder: Path, change: Callable[[Path], object]
) -> None:
    change(folder)
    look_at_model(str(folder))


def test_shards_that_are_whole_are_not_refused(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    for number, names in enumerate((list(weights)[:5], list(weights)[5:])):
        save_file({name: weights[name] for name in names}, folder / f"{number}.safetensors")
    places = {name: f"{int(n >= 5)}.safetensors" for n, name in enumerate(weights)}
    (folder / INDEX).write_text(json.dumps({"weight_map": places}))
    look_at_model(str(folder))


def test_a_look_at_a_model_imports_neither_torch_nor_transformers(folder: Path) -> None:
    code = (
        "import sys; from strategies.model_checks import look_at_model; "
        f"look_at_model({str(folder)!r}); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---------------------------------------------------------------- as transformers builds it


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (_config(num_attention_heads=8), r"64 by 32 in model\.layers\.0.*q_proj.* hold 32 by 32"),
        (_config(intermediate_size=128), r"128 by 32 in .*gate_proj.* hold 64 by 32"),
        (_config(head_dim=16), "64 by 32 in .*q_proj"),
        (_config(num_attention_heads=3), "cannot use config.json: .*hidden size"),
        (_config(hidden_act="nope"), "cannot use config.json: 'nope' is not known"),
        (_config(rms_norm_eps="small"), "cannot use config.json: .*rms_norm_eps"),
        (_config(text_config="x"), "cannot use config.json: "),
        (_edited("tokenizer_config.json", pad_token=5), "tokenizer in .*: .*pad_token"),
        (_text("tokenizer_config.json", "{}"), "no token to pad with"),
    ],
)
def test_a_model_that_transformers_cannot_build_is_told_before_its_weights_are_read(
    folder: Path, spoil: Callable[[Path], object], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", None)
    check_that_it_builds(resolve(str(folder)))
    spoil(folder)
    for _ in range(2):
        with pytest.raises(ModelError, match=named) as refused:
            check_that_it_builds(resolve(str(folder)))
        assert str(folder) in str(refused.value)
        assert "\n" not in str(refused.value)


def test_a_model_that_was_built_once_is_not_built_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_that_it_builds(resolve(str(folder)))
    monkeypatch.setattr("strategies.trial_build.load_config", None)
    check_that_it_builds(resolve(str(folder)))
    (folder / "generation_config.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot use"):
        check_that_it_builds(resolve(str(folder)))


# ---------------------------------------------------------------- files, adapters, embedders


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("README.md", b"# A model", "is a file and no model. A model is a folder"),
        ("page.html", b"<!doctype html>", "is a web page"),
        ("model.safetensors", b"\x00", "holds weights alone. Give its folder"),
        ("weights", b"GGUF\x03\x00\x00\x00", "Rename it to weights.gguf"),
        ("empty.gguf", b"", "cannot be loaded as a model: .* an empty file"),
        ("other.gguf", b"ggml0000", "does not begin as GGUF files do"),
        ("pointer.gguf", POINTER.encode(), "git lfs pull"),
        ("old.gguf", b"GGUF" + struct.pack("<I", 1), "of version 1, .* Convert it again"),
        ("big.gguf", b"GGUF" + struct.pack(">I", 3), "big-endian"),
    ],
)
def test_a_file_that_is_no_model_is_told_what_it_is(
    tmp_path: Path, name: str, content: bytes, named: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=named) as refused:
        look_at_model(str(tmp_path / name))
    assert str(tmp_path / name) in str(refused.value)


@pytest.mark.parametrize("name", ["./nowhere", "../nowhere", "/nowhere/at/all", "lost.gguf"])
def test_a_path_that_leads_nowhere_is_not_looked_for_on_the_hub(name: str) -> None:
    with pytest.raises(ModelError, match="no such folder or file"):
        look_at_model(name)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_a_gguf_file_that_was_copied_in_part_is_not_converted(
    tiny_model: Path, tmp_path: Path, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    gguf = make_tiny_gguf(tmp_path / "tiny.gguf", tiny_model)
    whole = gguf.read_bytes()
    gguf.write_bytes(whole[: int(len(whole) * share)])
    monkeypatch.setattr("strategies.models._load_gguf", None)
    with pytest.raises(ModelError, match=r"tiny\.gguf .* damaged or not whole .* again"):
        resolve(str(gguf))


def test_an_adapter_is_looked_at_with_its_base(folder: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    (tmp_path / "adapter").mkdir()
    config = {"peft_type": "LORA", "base_model_name_or_path": str(folder)}
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(config))
    weights = {"q_proj.lora_A.weight": torch.ones(16, 32)}
    save_file(weights, tmp_path / "adapter" / "adapter_model.safetensors")
    adapter = str(tmp_path / "adapter")
    look_at_model(adapter)
    _cut(WEIGHTS, 1000)(folder)
    with pytest.raises(ModelError, match=r"model/model\.safetensors"):
        look_at_model(adapter)
    _cut("adapter_model.safetensors", 1000)(tmp_path / "adapter")
    with pytest.raises(ModelError, match=r"adapter/adapter_model\.safetensors: .* not whole"):
        look_at_model(adapter)


@pytest.mark.parametrize(
    "case", ["weights cut in the values", "tokenizer is a pointer", "config is no JSON"]
)
def test_a_broken_embedder_is_told_in_one_message(folder: Path, case: str) -> None:
    spoil, named, _ = ZOO[case]
    look_at_embedder(str(folder))
    spoil(folder)
    with pytest.raises(ModelError, match=named):
        look_at_embedder(str(folder))


def test_a_model_that_embeds_texts_cannot_write_them(folder: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "modules.json").write_text("[]")
    with pytest.raises(ModelError, match="embeds texts and writes none"):
        look_at_model(str(folder))


def test_a_packaged_model_that_is_damaged_is_fetched_again(folder: Path) -> None:
    from strategies.models import packaged_folder

    place = packaged_folder("smollm2-135m-instruct")
    place.parent.mkdir(parents=True)
    _cut(WEIGHTS, 1000)(folder)
    folder.rename(place)
    with pytest.raises(ModelError, match="advisor models remove smollm2-135m-instruct && advisor"):
        look_at_model("smollm2-135m-instruct")
