"""Reads a folder of documents into passages.

Markdown and web pages come by section, JSONL by line, text whole. A file that holds no text, that
cannot be read or that has to be converted first is left out with a note, so that it does not stop
the others; a wrong line of a JSONL file is a problem.
Folders inside are read too: a document's name is its path in the folder, without the suffix
unless another document would have the same name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from advisor.wording import plain_errors
from benchmarks.tasks.lines import read_document, read_lines
from benchmarks.tasks.problems import Problems, shown
from benchmarks.tasks.reading import parse_json, unusable
from benchmarks.tasks.webpages import html_blocks
from strategies.data import Passage

_HEADING = re.compile(r"(#{1,2})\s+(.*?)\s*#*\s*")
_MARKDOWN, _PAGES = (".md", ".markdown"), (".html", ".htm", ".xhtml")
_READ_SUFFIXES = (*_MARKDOWN, ".txt", *_PAGES, ".jsonl")
_READ = ", ".join(_READ_SUFFIXES)
_ONLY_HEADINGS = "holds no text below its headings and was left out"
_CONVERT = {
    ".pdf": "convert it to text, for example with: pdftotext -layout FILE.pdf FILE.txt",
    ".csv": "write it as .jsonl, with an id and a text on every line",
    ".json": "write it as .jsonl, with an id and a text on every line",
} | dict.fromkeys(
    (".docx", ".doc", ".odt", ".rtf", ".epub", ".rst", ".tex", ".pptx", ".odp"),
    "convert it to Markdown, for example with: pandoc FILE -t gfm -o FILE.md, or save it as text",
)
_WITHOUT_TEXT = frozenset(
    f".{suffix}"
    for kind in (
        "png jpg jpeg gif webp svg bmp ico tif tiff heic avif",  # images
        "mp3 wav ogg flac m4a mp4 mov avi mkv webm",  # sound and films
        "css js map woff woff2 ttf otf eot",  # parts of web pages
        "zip gz tar 7z exe dll so pyc db sqlite lnk",  # archives, programs and data
    )
    for suffix in kind.split()
)


def read_corpus(folder: Path, problems: Problems) -> tuple[Passage, ...]:
    """All passages of a folder, in order of path; problems and notes go into `problems`."""
    read = {
        path.relative_to(folder): _passages(path, path.relative_to(folder), problems)
        for path in corpus_files(folder)
    }
    named = _told_apart(read, folder, problems)
    found = [passage for passages in named.values() for passage in passages]
    if not found:
        what = "holds no passage" if _is_folder(folder) else "is no folder, and so holds no passage"
        problems.add("corpus", f"{shown(str(folder))} {what}; it is read from {_READ}")
    for name, uses in Counter(passage.id for passage in found).items():
        if uses > 1:
            files = [
                file.as_posix()
                for file, passages in named.items()
                if any(passage.id == name for passage in passages)
            ]
            where = f"in {' and '.join(files)}; give every passage an id of its own"
            problems.add("corpus", f"passage id {shown(name)} is used {uses} times {where}")
    return tuple(found)


def _told_apart(
    read: dict[Path, list[Passage]], folder: Path, problems: Problems
) -> dict[Path, list[Passage]]:
    """The passages by file; documents that differ by their suffix only are called with it."""
    documents = [file for file, found in read.items() if found and file.suffix.lower() != ".jsonl"]
    uses = Counter(file.with_suffix("") for file in documents)
    named = dict(read)
    for file in documents:
        if uses[file.with_suffix("")] > 1:
            whole, cut = file.as_posix(), len(file.with_suffix("").as_posix())
            named[file] = [
                passage.model_copy(update={"id": whole + passage.id[cut:]})
                for passage in read[file]
            ]
            text = f"another document has this name, so its passages are called {shown(whole)}"
            problems.note(folder / file, text)
    return named


def corpus_files(folder: Path) -> list[Path]:
    """The files of a corpus and of the folders in it, in order of path; hidden ones are left out.

    Returns:
        [] when there is no such folder.
    """
    try:
        return sorted(p for p in folder.rglob("*") if p.is_file() and not _hidden(p, folder))
    except (OSError, ValueError):
        return []


def document_files(folder: Path) -> list[Path]:
    """The files of a corpus that passages are read from, in order of path."""
    return [path for path in corpus_files(folder) if path.suffix.lower() in _READ_SUFFIXES]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def slug(text: str) -> str:
    """A heading as part of an id: lower case, letters and digits joined by hyphens."""
    return "-".join(re.findall(r"\w+", text.lower().replace("_", " ")))


def split_markdown(stem: str, text: str) -> Iterator[Passage]:
    """The sections of a Markdown document that hold text.

    Text before the first section has the document's own id, `stem`; a section
    ``## Annual leave`` of ``time-off.md`` is ``time-off#annual-leave``.
    """
    yield from _sections(stem, "", _blocks(text))


def split_html(stem: str, text: str) -> Iterator[Passage]:
    """The sections of a web page that hold text, named as those of a Markdown document are."""
    title, blocks = html_blocks(text)
    yield from _sections(stem, title, blocks)


def _sections(
    stem: str, page_title: str, blocks: Iterable[tuple[int, str, str]]
) -> Iterator[Passage]:
    title = ""
    used: set[str] = set()
    for level, heading, body in blocks:
        is_title = level == 1 and not title
        title = heading if is_title else title
        if not body:
            continue
        if level == 0 or is_title:
            identifier = _unused(stem, used)
        else:
            identifier = _unused(f"{stem}#{slug(heading) or 'section'}", used)
        section = "" if level == 0 or is_title else f": {heading}"
        yield Passage(id=identifier, title=f"{title or page_title or stem}{section}", text=body)


def _passages(path: Path, within: Path, problems: Problems) -> list[Passage]:
    suffix = path.suffix.lower()
    name = within.with_suffix("").as_posix()
    problems.call(path, within.as_posix())
    if suffix == ".jsonl":
        return list(_json_passages(path, problems))
    if suffix in _WITHOUT_TEXT:
        problems.note(path, "holds no text to search and was left out")
    elif suffix not in _READ_SUFFIXES:
        how = _CONVERT.get(suffix, f"convert it to one of: {_READ}")
        problems.note(path, f"cannot be read as a document and was left out; {how}")
    else:
        return _document_passages(path, name, problems)
    return []


def _document_passages(path: Path, name: str, problems: Problems) -> list[Passage]:
    """The passages of a document; where it is broken or empty, a note says why it has none."""
    found = Problems("", "")
    text = read_document(path, found)
    if found:
        problems.leave_out(path, found)
        return []
    problems.take_notes(path, found)
    suffix = path.suffix.lower()
    try:
        if suffix in _MARKDOWN:
            passages = list(split_markdown(name, text))
        elif suffix in _PAGES:
            passages = list(split_html(name, text))
        else:
            stripped = text.strip()
            passages = [Passage(id=name, text=stripped)] if stripped else []
    except ValueError as error:
        said = f"cannot be read as HTML: {error}; the file was left out; save it as text"
        problems.note(path, said)
        return []
    if not passages:
        problems.note(path, "is empty and was left out" if not text.strip() else _ONLY_HEADINGS)
    return passages


def _json_passages(path: Path, problems: Problems) -> Iterator[Passage]:
    for number, line in read_lines(path, problems):
        if not line.strip():
            continue
        try:
            value = parse_json(line)
            passage = Passage.model_validate(value)
        except ValidationError as error:
            for _, said in plain_errors(error, Passage):
                problems.add(path, said, number)
        except ValueError as error:
            problems.add(path, f"is not JSON: {error}", number)
        else:
            if wrong := unusable(value):
                problems.add(path, f"{wrong}; correct it, or leave it out", number)
            if passage.text.strip():
                yield passage
            else:
                problems.note(path, "the passage holds no text and was left out", number)


def _blocks(text: str) -> Iterator[tuple[int, str, str]]:
    level, heading = 0, ""
    body: list[str] = []
    fenced = False
    for line in text.splitlines():
        fenced ^= line.lstrip().startswith("```")
        found = None if fenced else _HEADING.fullmatch(line)
        if found is None:
            body.append(line)
            continue
        yield level, heading, "\n".join(body).strip()
        level, heading, body = len(found.group(1)), found.group(2), []
    yield level, heading, "\n".join(body).strip()


def _unused(name: str, used: set[str]) -> str:
    free, number = name, 1
    while free in used:
        number += 1
        free = f"{name}-{number}"
    used.add(free)
    return free
