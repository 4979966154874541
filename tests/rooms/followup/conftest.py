"""The cast of the closing clerk."""

from clerk import cast, draft, forwarded, inbox, settled, witness

__all__ = ["cast", "draft", "forwarded", "inbox", "settled", "witness"]
