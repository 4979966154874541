"""The message of a case as its recipient will see it: from the approved stencil, else from the version.

When it fails: content that cannot be composed yet (no text, no sender) gives None and its reason code.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from circular.evidence import queries as archive
from circular.mailing import queries as mailing
from circular.mailing import services as composing
from circular.mailing.cleaning import TooLongError
from circular.mailing.composing import Composed, Draft
from circular.mailing.content import ContentError, StencilContent, StencilFile
from circular.mailing.errors import ContentGoneError
from circular.mailing.kinds import MailClass
from circular.mailing.labels import ADVICE
from circular.mailing.models import Stencil
from circular.mailing.rendering import Preview, preview
from circular.workflow.models import Request, RequestVersion

# Whom the preview greets: nobody real.
SPECIMEN: Mapping[str, str] = {"given": "Ana", "family": "Ejemplo", "preferred": "Ana"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A message with what stands around it."""

    content: StencilContent
    digest: str
    octets: int

    @property
    def sender(self) -> str:
        """Return the visible sender."""
        return f"{self.content.sender_name} <{self.content.sender_address}>"

    @property
    def reply_to(self) -> str:
        """Return where answers go, when it is not the sender."""
        other = self.content.reply_to != self.content.sender_address
        return self.content.reply_to if other else ""

    def preview(self) -> Preview:
        """Return the parts with the fields of a specimen filled and inline images within."""
        images = {
            file.content_id: _data_uri(file.digest, file.media_type)
            for file in self.content.files
            if file.content_id and file.media_type.startswith("image/")
        }
        return preview(self.content, SPECIMEN, images)


def _data_uri(digest: str, media_type: str) -> str:
    encoded = base64.b64encode(archive.blob(digest)).decode("ascii")
    return f"data:{media_type};base64,{encoded}"


def message_of(request: Request) -> Shown | None:
    """Return the message of the current version, or None while it cannot be composed."""
    version = request.version
    if version is None:
        return None
    content = _stored(version.digest)
    if content is None:
        composed = _composed(request, version)
        content = composed.content if composed is not None else None
    if content is None:
        return None
    return Shown(
        content=content,
        digest=version.digest,
        octets=len(content.html.encode()) + sum(file.octets for file in content.files),
    )


def advice_on(request: Request) -> list[str]:
    """Return what its author should look at before filing, in words."""
    composed = _composed(request, request.version) if request.version is not None else None
    return [str(ADVICE[one]) for one in composed.advice] if composed is not None else []


def _stored(digest: str) -> StencilContent | None:
    if not digest:
        return None
    try:
        return mailing.stencil(digest)
    except (Stencil.DoesNotExist, ContentGoneError):
        return None


def _composed(request: Request, version: RequestVersion) -> Composed | None:
    """Compose a draft that still lacks something else, only to be looked at."""
    if version.sender is None or not version.subject.strip():
        return None
    try:
        return composing.compose_stencil(
            Draft(
                sender_name=version.sender.display_name,
                sender_address=version.sender.address,
                reply_to=version.reply_to or version.sender.reply_to,
                subject=version.subject,
                html=version.html,
                text=version.text,
                files=tuple(
                    StencilFile(
                        name=file["name"],
                        media_type=file["media_type"],
                        digest=file["digest"],
                        octets=file["octets"],
                        content_id=file.get("content_id", ""),
                    )
                    for file in version.attachments
                ),
                mail_class=MailClass(version.mail_class),
                audience_rule=version.audience,
                unit_name=request.unit.name if request.unit is not None else "",
            )
        )
    except (ContentError, TooLongError):
        return None


def facts_of(shown: Shown | None, *, url: str, approved: str) -> dict[str, Any] | None:
    """Return what the template draws around the frame."""
    if shown is None:
        return None
    part = shown.preview()
    return {
        "sender": shown.sender,
        "reply_to": shown.reply_to,
        "subject": part.subject,
        "text": part.text,
        "files": [file for file in shown.content.files if not file.content_id],
        "octets": shown.octets,
        "digest": shown.digest,
        "approved": bool(approved) and approved == shown.digest,
        "url": url,
    }
