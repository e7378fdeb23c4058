"""A recipe: how a public data set becomes a task. The text is here, the data is not."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from benchmarks.tasks.task import Item, Splits, Task, TaskSpec, build_task, combined_sha256
from strategies.errors import DataError

_BLOCK_BYTES = 1 << 20

Files = Mapping[str, Path]


@dataclass(frozen=True)
class SourceFile:
    """A file of a public data set.

    Attributes:
        path: where it is looked for, relative to the data folder.
        sha256: hexadecimal, of its bytes; of its unpacked bytes when `path` ends in ``.gz``.
        url: where it can be had, pinned to a commit where there is one.
    """

    path: str
    sha256: str
    url: str


@dataclass(frozen=True)
class Recipe:
    """How a public data set becomes a task.

    Attributes:
        spec: the task's description.
        variants: sets of files that the data can come in; the first complete one is used.
        convert: splits out of the files, by `SourceFile.path`; the same for the same bytes.
        database: `SourceFile.path` of the SQLite file that SQL is run on.
    """

    spec: TaskSpec
    variants: tuple[tuple[SourceFile, ...], ...]
    convert: Callable[[Files], Splits]
    database: str | None = None

    def present(self, data_dir: Path | None) -> bool:
        """Whether all files of a variant are there; their hashes are not looked at."""
        return data_dir is not None and any(
            all((data_dir / file.path).is_file() for file in variant) for variant in self.variants
        )

    def load(self, data_dir: Path | None) -> Task:
        """The task.

        Raises:
            DataError: files are missing or are not the pinned ones; all of them are listed.
        """
        if data_dir is None:
            raise DataError(self._missing_message([], "no data folder is given"))
        variant = self._variant(data_dir)
        wrong = [text for file in variant if (text := _wrong_with(file, data_dir)) is not None]
        if wrong:
            raise DataError(self._missing_message(wrong, f"of data folder {data_dir}"))
        files = {file.path: data_dir / file.path for file in variant}
        sha256 = combined_sha256({file.path: file.sha256 for file in variant})
        database = files[self.database] if self.database else None
        return build_task(self.spec, self.convert(files), sha256, database)

    def _variant(self, data_dir: Path) -> tuple[SourceFile, ...]:
        complete = [v for v in self.variants if all((data_dir / f.path).is_file() for f in v)]
        return (complete or list(self.variants))[0]

    def _missing_message(self, wrong: Sequence[str], reason: str) -> str:
        wanted = [
            f"  {file.path}\n    SHA-256 {file.sha256}\n    from {file.url}"
            for file in self.variants[0]
        ]
        return "\n".join(
            [
                f"Task {self.spec.id!r} needs public files that are not there: {reason}.",
                *wrong,
                "It is made from:",
                *wanted,
                f"Licence of the data: {self.spec.licence}.",
                "Put them under a folder of yours and name it with --data-dir FOLDER.",
            ]
        )


def github(repository: str, commit: str, path: str) -> str:
    """Address of a file of a public repository at a commit."""
    return f"https://raw.githubusercontent.com/{repository}/{commit}/{path}"


def from_github(
    repository: str, commit: str, inside: str, folder: str, hashes: Mapping[str, str]
) -> tuple[SourceFile, ...]:
    """Files of a public repository.

    Args:
        repository: owner and name.
        commit: at which they are taken.
        inside: where they lie in it, "" or a path that ends in ``/``.
        folder: where they lie below the data folder.
        hashes: name of every file and its SHA-256 (hexadecimal).
    """
    return tuple(
        SourceFile(f"{folder}/{name}", sha256, github(repository, commit, f"{inside}{name}"))
        for name, sha256 in hashes.items()
    )


def content_sha256(path: Path) -> str:
    """SHA-256 (hexadecimal) of a file's bytes, unpacked when its name ends in ``.gz``.

    Raises:
        OSError: the file cannot be read, or is no gzip file.
    """
    digest = hashlib.sha256()
    with open_unpacked(path) as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def open_unpacked(path: Path) -> gzip.GzipFile | BinaryIO:
    """A file's bytes, unpacked when its name ends in ``.gz``."""
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def without_leaks(train: Sequence[Item], *held_out: Sequence[Item]) -> tuple[Item, ...]:
    """The training items whose input neither came before nor stands in another split."""
    seen = {_letters_and_digits(item.input) for split in held_out for item in split}
    kept = []
    for item in train:
        text = _letters_and_digits(item.input)
        if text not in seen:
            seen.add(text)
            kept.append(item)
    return tuple(kept)


def classify(noun: str, labels: Sequence[str]) -> str:
    """The instruction of a classification, with its labels."""
    return f"{noun} Answer with exactly one of these labels: {', '.join(labels)}."


def _letters_and_digits(text: str) -> str:
    # Runs on these sets are published. This form is coarser than `normal_input`: it takes three
    # items more out of banking77 and four out of tweeteval-emotion, and has to stay.
    letters = "".join(character if character.isalnum() else " " for character in text.casefold())
    return " ".join(letters.split()) or " ".join(text.split())


def _wrong_with(file: SourceFile, data_dir: Path) -> str | None:
    path = data_dir / file.path
    if not path.is_file():
        return f"  {file.path}: is missing"
    try:
        found = content_sha256(path)
    except (OSError, EOFError) as error:
        return f"  {file.path}: cannot be read: {error}"
    return None if found == file.sha256 else f"  {file.path}: has another SHA-256, {found}"
