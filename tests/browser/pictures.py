"""Small PNG files: a screen has few colours, so 256 of them in a palette are as good as 16 million and a third the size.

The browser that took the picture also counts its colours; only the file is put together here.
"""

from __future__ import annotations

import base64
import struct
import zlib
from pathlib import Path

from playwright.sync_api import Page

# The 256 most frequent colours; every other pixel gets the nearest of them.
TO_PALETTE = """async (png) => {
  const picture = await createImageBitmap(await (await fetch("data:image/png;base64," + png)).blob());
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const drawing = canvas.getContext("2d");
  drawing.drawImage(picture, 0, 0);
  const pixels = new Uint32Array(drawing.getImageData(0, 0, picture.width, picture.height).data.buffer);
  const counts = new Map();
  for (let at = 0, start = 0; at < pixels.length; start = at) {
    while (pixels[at] === pixels[start] && at < pixels.length) at += 1;
    counts.set(pixels[start], (counts.get(pixels[start]) || 0) + at - start);
  }
  const palette = [...counts].sort((one, other) => other[1] - one[1]).slice(0, 256).map((one) => one[0]);
  const parts = (colour) => [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];
  const distance = (one, other) => one.reduce((sum, part, at) => sum + (part - other[at]) ** 2, 0);
  const known = palette.map(parts);
  const places = new Map(palette.map((colour, place) => [colour, place]));
  for (const colour of counts.keys()) {
    if (places.has(colour)) continue;
    const distances = known.map((one) => distance(one, parts(colour)));
    places.set(colour, distances.indexOf(Math.min(...distances)));
  }
  const indices = new Uint8Array(pixels.length);
  for (let at = 0; at < pixels.length; at += 1) {
    indices[at] = at && pixels[at] === pixels[at - 1] ? indices[at - 1] : places.get(pixels[at]);
  }
  let text = "";
  for (let at = 0; at < indices.length; at += 32768) text += String.fromCharCode(...indices.subarray(at, at + 32768));
  return {width: picture.width, height: picture.height, palette: known.flat(), indices: btoa(text)};
}"""


def write(path: Path, png: bytes, *, using: Page) -> None:
    """Write a picture with a palette; `using` is an empty page to count in."""
    found = using.evaluate(TO_PALETTE, base64.b64encode(png).decode())
    width, height, pixels = found["width"], found["height"], base64.b64decode(found["indices"])
    rows = b"".join(b"\0" + pixels[start : start + width] for start in range(0, width * height, width))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
        + _chunk(b"PLTE", bytes(found["palette"]))
        + _chunk(b"IDAT", zlib.compress(rows, 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
