"""A wire of some length: `python -m benchmarks.kit.delay PORT TARGET MILLISECONDS` leads one port to another.

What is sent arrives so many milliseconds later, in each direction, in order and at any rate: only distance is imitated,
neither a narrow road nor a lossy one.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import StreamReader, StreamWriter

CHUNK = 256 * 1024


async def serve(port: int, target: int, seconds: float) -> asyncio.Server:
    """A server on `port` (0 takes a free one) that leads to `target`."""

    async def lead(reader: StreamReader, writer: StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", target)
        try:
            await asyncio.gather(_carry(reader, there_writer, seconds), _carry(there_reader, writer, seconds))
        finally:
            writer.close()
            there_writer.close()

    return await asyncio.start_server(lead, "127.0.0.1", port)


async def _carry(reader: StreamReader, writer: StreamWriter, seconds: float) -> None:
    """Read at once, write later: what is on the way stands in a queue with the moment at which it is due."""
    on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    clock = asyncio.get_running_loop().time

    async def arrive() -> None:
        while True:
            due, data = await on_the_way.get()
            if (wait := due - clock()) > 0:
                await asyncio.sleep(wait)
            if not data:
                writer.write_eof()  # the other direction may still have something to bring
                return
            writer.write(data)
            await writer.drain()

    arriving = asyncio.ensure_future(arrive())
    try:
        while data := await reader.read(CHUNK):
            on_the_way.put_nowait((clock() + seconds, data))
    except ConnectionError:
        pass  # the other side is gone: so is this one
    on_the_way.put_nowait((clock() + seconds, b""))
    await asyncio.gather(arriving, return_exceptions=True)


async def main() -> None:
    """Lead until the process is ended."""
    port, target, milliseconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    async with await serve(port, target, milliseconds / 1000) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
