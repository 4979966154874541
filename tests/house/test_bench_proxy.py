"""The bench's far line: octets arrive whole, in order and later; a cut line passes nothing."""

import asyncio
import time

from circular.config.bench.proxy import Line, start_proxy


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


async def scene(line: Line) -> tuple[bytes, bytes, float, bool]:
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as far:
        line.port = far.sockets[0].getsockname()[1]
        async with await start_proxy(line) as proxy:
            port = proxy.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"warm")
            await reader.readexactly(4)
            sent = bytes(range(256)) * 4000
            began = time.monotonic()
            writer.write(b"one octet")
            await reader.readexactly(9)
            seconds = time.monotonic() - began
            writer.write(sent)
            got = await reader.readexactly(len(sent))

            line.cut()
            writer.write(b"held")
            try:
                async with asyncio.timeout(0.2):
                    passed = bool(await reader.read(1))
            except TimeoutError:
                passed = False
            line.mend()
            assert await reader.readexactly(4) == b"held"
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
            while line.ends:  # noqa: ASYNC110 - the proxy's own ends close by themselves
                await asyncio.sleep(0.01)
            return sent, got, seconds, passed


def test_a_line_keeps_octets_whole_and_lets_them_arrive_a_round_trip_later() -> None:
    sent, got, seconds, passed = asyncio.run(scene(Line("127.0.0.1", 0, 0.05)))

    assert got == sent
    assert 0.1 <= seconds < 0.5
    assert not passed
