"""Pages on which a person reads the sample university's mailboxes, as in any web mail.

Everything shown came from outside: text is escaped, HTML stands in a sandboxed frame of its own
that may load nothing.
"""

import asyncio
import html
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from urllib.parse import parse_qs, quote, urlsplit

from circular.config.demo.mailstore import MailStore

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 56rem; margin: 0 auto; padding: 1rem }
a { color: light-dark(#1f4b99, #9dbcf5) } table { width: 100%; border-collapse: collapse }
th, td { text-align: left; padding: .5rem; border-bottom: 1px solid light-dark(#ccd3dd, #444c5a); overflow-wrap: anywhere }
input { font: inherit; padding: .4rem; min-width: 18rem } button { font: inherit; padding: .4rem 1rem }
iframe { width: 100%; height: 44rem; border: 1px solid light-dark(#ccd3dd, #444c5a); background: #fff }
pre { white-space: pre-wrap; overflow-wrap: anywhere }
:focus-visible { outline: 3px solid light-dark(#1f4b99, #9dbcf5); outline-offset: 2px }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; form-action 'self'"


def _page(title: str, body: str) -> bytes:
    return (
        f'<!doctype html><html lang="es"><head><meta charset="utf-8"><title>{html.escape(title)}'
        '</title><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><main><h1>{html.escape(title)}</h1>{body}</main></body></html>"
    ).encode()


def _list_of_mailboxes(store: MailStore, wanted: str) -> bytes:
    rows = "".join(
        f'<tr><td><a href="/buzon?de={quote(box)}">{html.escape(box)}</a></td><td>{count}</td></tr>'
        for box, count in store.mailboxes(wanted)
    )
    table = (
        "<table><thead><tr><th scope=col>Buzón</th><th scope=col>Mensajes</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
        if rows
        else "<p>Ningún buzón con ese texto tiene correo todavía.</p>"
    )
    return _page(
        "Buzones de la universidad de muestra",
        '<form><label for="b">Dirección, o parte de ella</label><br>'
        f'<input id="b" name="b" value="{html.escape(wanted)}"> <button>Buscar</button></form>{table}',
    )


def _mailbox(store: MailStore, box: str) -> bytes:
    rows = "".join(
        f"<tr><td>{html.escape(message.arrived_at[:16].replace('T', ' '))} UTC</td>"
        f"<td>{html.escape(message.sender)}</td>"
        f'<td><a href="/mensaje?de={quote(box)}&amp;n={message.uid}">'
        f"{html.escape(message.subject) or '(sin asunto)'}</a></td></tr>"
        for message in store.messages(box)
    )
    heads = "<th scope=col>Llegó</th><th scope=col>De</th><th scope=col>Asunto</th>"
    return _page(
        box,
        f'<p><a href="/">Todos los buzones</a></p><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table>",
    )


def _parts(raw: bytes) -> tuple[EmailMessage, str, str]:
    """Return the message, its text and its HTML; "" where there is none."""
    message = BytesParser(policy=policy.default).parsebytes(raw)
    assert isinstance(message, EmailMessage)

    def body(kind: str) -> str:
        part = message.get_body((kind,))
        return str(part.get_content()) if part is not None else ""

    return message, body("plain"), body("html")


def _message(box: str, uid: int, raw: bytes) -> bytes:
    message, text, formatted = _parts(raw)
    heads = "".join(
        f"<tr><th scope=row>{label}</th><td>{html.escape(str(message[name] or ''))}</td></tr>"
        for name, label in (
            ("From", "De"),
            ("To", "Para"),
            ("Subject", "Asunto"),
            ("Date", "Fecha"),
        )
    )
    address = f"/html?de={quote(box)}&amp;n={uid}"
    frame = (
        f'<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" title="El mensaje" src="{address}"></iframe>'
        if formatted
        else ""
    )
    return _page(
        str(message["Subject"] or "(sin asunto)"),
        f'<p><a href="/buzon?de={quote(box)}">{html.escape(box)}</a></p><table>{heads}</table>{frame}'
        f"<h2>Texto</h2><pre>{_with_links(text)}</pre>"
        f'<p><a href="/original?de={quote(box)}&amp;n={uid}">Ver el original</a></p>',
    )


def _with_links(text: str) -> str:
    """Escape text and make each line that is an address of a page a link."""
    return "\n".join(
        f'<a href="{html.escape(line.strip())}">{html.escape(line)}</a>'
        if line.strip().startswith(("http://", "https://"))
        else html.escape(line)
        for line in text.splitlines()
    )


def _answer(store: MailStore, target: str) -> tuple[int, str, bytes]:
    """Return status, media type and body for one address."""
    parts = urlsplit(target)
    asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
    box, number = asked.get("de", "").lower(), asked.get("n", "")
    if parts.path == "/":
        return 200, "text/html", _list_of_mailboxes(store, asked.get("b", ""))
    if parts.path == "/buzon":
        return 200, "text/html", _mailbox(store, box)
    raw = store.raw(box, int(number)) if number.isdecimal() else None
    if raw is None:
        return (
            404,
            "text/html",
            _page("No hay tal mensaje", '<p><a href="/">Todos los buzones</a></p>'),
        )
    match parts.path:
        case "/mensaje":
            return 200, "text/html", _message(box, int(number), raw)
        case "/html":
            return 200, "text/html", _parts(raw)[2].encode()
        case _:
            return 200, "text/plain", raw


async def serve_pages(store: MailStore, port: int) -> asyncio.Server:
    """Start the pages on loopback; only GET is known."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = (await reader.readline()).decode("latin-1").split()
            while (await reader.readline()).strip():
                pass
            if len(request) != 3 or request[0] != "GET":
                status, kind, body = 405, "text/plain", b"Only GET\n"
            else:
                status, kind, body = await asyncio.to_thread(_answer, store, request[1])
            writer.write(
                f"HTTP/1.1 {status} -\r\nContent-Type: {kind}; charset=utf-8\r\n"
                f"Content-Length: {len(body)}\r\nContent-Security-Policy: {POLICY}\r\n"
                "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n".encode()
                + body
            )
            await writer.drain()
        except (ConnectionError, ValueError, LookupError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", port)
