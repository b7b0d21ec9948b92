"""Descriptions as text and as digest."""

from __future__ import annotations

import hashlib
import json
from typing import Any

__all__ = ["hashed", "text_of"]


def text_of(description: Any) -> str:
    """A description as JSON text."""
    text = json.dumps(description, sort_keys=True, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # Half a character: no file holds it as it is.
        return json.dumps(description, sort_keys=True, allow_nan=False)
    return text


def hashed(content: bytes | memoryview | str) -> str:
    """16 hexadecimal digits of a content."""
    encoded = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(encoded).hexdigest()[:16]
