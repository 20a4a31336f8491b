"""Drag a slider of the app as a page does, and measure what a person would see.

python benchmarks/app.py --run runs/rooms --seconds 20

The app runs in a process of its own, with its default settings. A client moves a slider without rest, and
sends its value whenever it may: one request is under way at a time, as on the page. For each slider:

- frames per second: decoded pictures, over the time of dragging;
- latency: from the value that a picture shows until that picture is decoded; median and 95 %.

The baseline is the bare render: the same picture in a loop of full passes of the generator in one process,
without server, encoding or prefix reuse. Turns alternate: bare, each slider, bare again.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import itertools
import json
import math
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
import websockets
from ganstrata.app.workspace import Workspace
from ganstrata.core.editing.request import EditRequest
from ganstrata.core.editing.sources import find_source
from measure import machine
from PIL import Image

SHOWN = ("frames/s", "latency median, ms", "latency 95 %, ms", "of the bare render")


def bare(workspace: Workspace, seconds: float) -> float:
    """Return full passes of one picture per second."""
    prepared = workspace.prepared
    source = find_source(prepared, EditRequest(along=(), seeds="0"))
    (batch,) = source.batches(1)

    def once() -> None:
        with torch.inference_mode():
            prepared.render(batch.codes, batch.condition, batch.index, source.stream, strict=True)

    once()
    begin, count = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        once()
        count += 1
    return count / (time.perf_counter() - begin)


class Client:
    """A page that drags."""

    def __init__(self, socket: Any) -> None:
        self.socket, self.numbers = socket, itertools.count(1)

    async def ask(self, **request: Any) -> tuple[dict[str, Any], bytes]:
        """Send a request; return its answer, and the picture that came with it."""
        n, picture = next(self.numbers), b""
        await self.socket.send(json.dumps({"n": n, **request}))
        while True:
            message = await self.socket.recv()
            if isinstance(message, bytes):
                picture = message[4 + int.from_bytes(message[:4], "big") :]
                Image.open(io.BytesIO(picture)).load()
                if request["do"] == "frame":
                    await self.socket.send(json.dumps({"n": n, "do": "shown"}))
                continue
            answer = json.loads(message)
            if answer.get("n") == n and ("ok" in answer or "error" in answer):
                if "error" in answer:
                    raise SystemExit(answer["error"])
                return answer["ok"], picture

    async def drag(self, slider: dict[str, Any], seconds: float) -> dict[str, float]:
        """Drag a slider from end to end for some seconds."""
        middle, reach = (slider["high"] + slider["low"]) / 2, (slider["high"] - slider["low"]) / 2
        latencies: list[float] = []

        async def frame(at: float) -> None:
            move = {"along": slider["along"], "by": middle + reach * math.sin(at), "layers": slider["layers"]}
            await self.ask(do="frame", edit={"picture": {"seed": 0}, "moves": [move]}, moving=0)

        await frame(0.0)  # what a first touch costs once is not part of dragging
        begin = time.perf_counter()
        while (now := time.perf_counter()) - begin < seconds:
            await frame(now - begin)
            latencies.append(time.perf_counter() - now)
        elapsed = time.perf_counter() - begin
        latencies.sort()
        return {
            "frames": len(latencies) / elapsed,
            "median": 1e3 * statistics.median(latencies),
            "p95": 1e3 * latencies[math.ceil(0.95 * len(latencies)) - 1],
        }


async def measured(port: int, workspace: Workspace, seconds: float, most: int) -> list[dict[str, Any]]:
    """Drag sliders, the earliest layers first, between two turns of the bare render."""
    origin = f"http://127.0.0.1:{port}"
    url = f"ws://127.0.0.1:{port}/socket?session="
    async with websockets.connect(url, origin=origin, max_size=None) as socket:
        client = Client(socket)
        hello, _ = await client.ask(do="hello")
        sliders = sorted(hello["sliders"], key=lambda slider: slider["layer_list"])
        by_layers = {tuple(slider["layer_list"]): slider for slider in reversed(sliders)}
        chosen = sorted(by_layers.values(), key=lambda slider: slider["layer_list"])[:most]
        before = bare(workspace, seconds / 2)
        rows = [
            {"slider": s["along"], "layers": s["layers"], **await client.drag(s, seconds)} for s in chosen
        ]
        after = bare(workspace, seconds / 2)
    for row in rows:
        row["ratio"] = row["frames"] / ((before + after) / 2)
    return [{"slider": "bare render", "frames": (before + after) / 2, "turns": [before, after]}, *rows]


def main() -> None:
    """Print the table, and write it as JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--most", type=int, default=4, help="sliders, of different layers")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    workspace = Workspace.open(asked.run)
    command = [
        sys.executable,
        "-m",
        "ganstrata.cli.main",
        "app",
        str(asked.run),
        "--no-browser",
        "--port",
        "0",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            found = next(m for line in server.stdout if (m := re.search(r":(\d+)/", line)))
            rows = asyncio.run(measured(int(found[1]), workspace, asked.seconds, asked.most))
        finally:
            server.terminate()
    print(machine())
    print(f"| slider | layers | {' | '.join(SHOWN)} |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for row in rows:
        cells = [
            f"{row[key]:.{digits}f}" if key in row else ""
            for key, digits in (("frames", 1), ("median", 0), ("p95", 0), ("ratio", 2))
        ]
        print(f"| {row['slider']} | {row.get('layers') or ''} | {' | '.join(cells)} |")
    if asked.out is not None:
        asked.out.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
