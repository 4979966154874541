"""The README's example of circular.smtp alone runs as it stands, against a relay on this machine."""

import asyncio
import contextlib
import io
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take everything; announces nothing, so the example waits for each reply."""
    writer.write(b"220 relay\r\n")
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while verb := (await reader.readline())[:4].upper():
            if verb == b"DATA":
                writer.write(b"354 go\r\n")
                await reader.readuntil(b"\r\n.\r\n")
            writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
    writer.close()


@pytest.fixture
def port() -> Iterator[int]:
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield server.sockets[0].getsockname()[1]

    async def end() -> None:
        server.close()
        await asyncio.sleep(0.05)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(end(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def example() -> str:
    section = README.read_text("utf-8").split("## circular.smtp alone")[1].split("\n## ")[0]
    return section.split("```python\n")[1].split("```")[0]


def test_the_example_sends_to_everybody(port: int) -> None:
    code = example().replace("2525", str(port))
    said = io.StringIO()

    with contextlib.redirect_stdout(said):
        exec(compile(code, "README.md", "exec"), {"__name__": "example"})

    assert said.getvalue().count("ACCEPTED") + said.getvalue().count("accepted") >= 3
    assert "carla@example.org" in said.getvalue()


def test_the_package_needs_nothing_of_the_framework() -> None:
    """A fresh interpreter that imports the session holds no Django, database driver or job queue."""
    asked = "import sys, circular.smtp.session; print(sorted(sys.modules))"

    found = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60
    ).stdout

    assert "circular.smtp.protocol" in found
    for foreign in ("'django", "'psycopg", "'procrastinate", "circular.config"):
        assert foreign not in found
