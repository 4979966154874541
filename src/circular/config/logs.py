"""Writes the log: one JSON object a line, on standard error, without anybody's address.

Rules:
1. Ids and codes are logged; whatever looks like an address is replaced by `…@domain` before it is
   written, in messages, in fields and in the text of exceptions.
2. Secrets do not reach the log: tokens in paths of one-time links are cut.
3. Programs without Django use the same set-up as those with it.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

ADDRESS = re.compile(r"[^\s<>\"'(),;:=\[\]@]+@(?=[\w-])")
# 20 octets of randomness are 27 characters of base64; no word and no filing number is so long
TOKEN = re.compile(r"(?<=/)[A-Za-z0-9_:-]{24,}")


def without_addresses(text: str) -> str:
    """Return the text with local parts and one-time tokens taken out."""
    return TOKEN.sub("…", ADDRESS.sub("…@", text))


def _redact(value: object) -> object:
    if isinstance(value, str):
        return without_addresses(value)
    if isinstance(value, dict):
        return {key: _redact(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redact(item) for item in value]
    return value if isinstance(value, int | float | bool | None) else without_addresses(str(value))


def _redact_event(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return {key: _redact(value) for key, value in event.items()}


def set_up(level: str) -> None:
    """Send every log record of this process through the redacting JSON formatter.

    Repeat:  the last call wins
    """
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _redact_event,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for chatty in ("asyncio", "procrastinate", "mail.log", "imapclient"):
        logging.getLogger(chatty).setLevel(max(root.level, logging.WARNING))
