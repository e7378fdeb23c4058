"""JSON objects that say themselves whether they are as they were written."""

from __future__ import annotations

import re
import zlib

_SEAL = re.compile(rb',\s*"crc32": "([0-9a-f]{8})"\s*}\s*$')


def sealed(text: str) -> str:
    """A JSON object with a checksum of all before it as its last field.

    Args:
        text: a JSON object that is not empty, on one line or indented.
    """
    body = text.rstrip().removesuffix("}").rstrip()
    gap, end = ("\n  ", "\n}") if "\n" in body else (" ", "}")
    return f'{body},{gap}"crc32": "{_checksum(body.encode("utf-8", "surrogatepass"))}"{end}'


def unsealed(content: bytes, *, required: bool = False) -> bytes:
    """The object without its checksum; one that never had any comes back as it is.

    Args:
        content: of a file, or one line of it.
        required: whether an object without a checksum is refused.

    Raises:
        ValueError: the checksum does not fit, or is missing where it is required.
    """
    seal = _SEAL.search(content)
    if seal is None and required:
        raise ValueError("it has no checksum")
    if seal is None:
        return content
    body = content[: seal.start()]
    if _checksum(body) != seal[1].decode():
        raise ValueError("its checksum does not fit")
    return body + b"}"


def _checksum(body: bytes) -> str:
    return f"{zlib.crc32(body):08x}"
