"""Tests of the gate that processes wait at."""

import asyncio

from packager.dev.gate import Gate


async def waiting(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    return asyncio.create_task(reader.read()), writer


def test_who_waits_goes_on_when_the_gate_opens_and_later_ones_at_once():
    async def run():
        gate = Gate()
        port = await gate.listen()
        early, first = await waiting(port)
        await asyncio.sleep(0.05)
        held = not early.done()
        gate.open()
        late, second = await waiting(port)
        got = await early, await late
        for writer in (first, second):
            writer.close()
        gate.close()
        return held, got

    assert asyncio.run(run()) == (True, (b"g", b"g"))


def test_who_waits_at_a_gate_that_closes_is_sent_home():
    async def run():
        gate = Gate()
        task, writer = await waiting(await gate.listen())
        await asyncio.sleep(0.05)
        gate.close()
        got = await task
        writer.close()
        return got

    assert asyncio.run(run()) == b""
