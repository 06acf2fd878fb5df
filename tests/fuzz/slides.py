"""Whole slides in ten formats, and thousands of ways to damage them: all from a seed, so that each can be made again."""

from __future__ import annotations

import io
import os
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from tests.conftest import write_pyramid
from tests.slides.made_dicom import write_series
from tests.stand_ins import MPP, paint

SIDE = 512
_OCTETS = 256
_SERIES = b"\x20\x00\x0e\x00UI"  # the element (0020,000E) SeriesInstanceUID in explicit little-endian
_TAGS = {  # of a TIFF: what decides sizes and places
    256: "width", 257: "height", 258: "bits", 259: "compression", 262: "photometric", 273: "strip offsets",
    277: "samples", 278: "rows a strip", 279: "strip bytes", 282: "resolution", 284: "planar", 322: "tile width",
    323: "tile height", 324: "tile offsets", 325: "tile bytes", 330: "SubIFDs", 338: "extra samples",
}  # fmt: skip
_ABSURD = (0, 1, 2, 3, 255, 65535, 2**20, 2**31 - 1, 2**31, 2**32 - 1)


def originals(folder: Path) -> dict[str, bytes]:
    """Slides that a run finishes, by a name with their suffix."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = paint(1, width=SIDE, height=SIDE).pixels
    for name, compression in (("jpeg", "jpeg"), ("lzw", "lzw"), ("zstd", "zstd"), ("webp", "webp")):
        write_pyramid(folder / f"{name}.tif", pixels, compression=compression, levels=2)
    _write_svs(folder / "jpeg.svs", pixels, "jpeg")
    _write_svs(folder / "jp2k.svs", pixels, "aperio_jp2000_rgb")
    with tifffile.TiffWriter(folder / "sub.ome.tif", ome=True, bigtiff=True) as file:
        facts = {"axes": "YXS", "PhysicalSizeX": MPP, "PhysicalSizeY": MPP}
        file.write(
            pixels, photometric="rgb", tile=(128, 128), compression="deflate", subifds=1, metadata=facts
        )
        file.write(pixels[::2, ::2], photometric="rgb", tile=(128, 128), compression="deflate", subfiletype=1)
    Image.fromarray(pixels).save(folder / "plain.png")
    Image.fromarray(pixels).save(folder / "plain.jpg", quality=90)
    write_series(folder, pixels, ["one.dcm"], mpp=MPP)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def _write_svs(path: Path, pixels: np.ndarray, compression: str) -> None:
    words = f"Aperio Image Library v10.0\r\n{SIDE}x{SIDE} (256x256) JPEG/RGB Q=70|AppMag = 20|MPP = {MPP}"
    with tifffile.TiffWriter(path) as file:
        file.write(
            pixels,
            photometric="rgb",
            tile=(256, 256),
            compression=compression,
            metadata=None,
            description=words,
        )


Mutation = Callable[[np.random.Generator, bytes], bytes]


def truncated(rng: np.random.Generator, content: bytes) -> bytes:
    """The file ends early, most often near an end."""
    place = int(len(content) * (rng.random() ** rng.choice([1, 4])))
    return content[: place if rng.random() < 0.5 else len(content) - place]


def flipped(rng: np.random.Generator, content: bytes) -> bytes:
    """Some bits are others, anywhere or in the header."""
    damaged = np.frombuffer(content, np.uint8).copy()
    among = len(damaged) if rng.random() < 0.6 else min(512, len(damaged))
    places = rng.integers(0, among, int(rng.integers(1, 40)))
    damaged[places] ^= (1 << rng.integers(0, 8, len(places))).astype(np.uint8)
    return damaged.tobytes()


def overwritten(rng: np.random.Generator, content: bytes) -> bytes:
    """A block is zeros, ones or noise, as a disk's bad sector is."""
    length = min(int(rng.choice([16, 512, 4096, 65536])), len(content))
    start = int(rng.integers(0, max(len(content) - length, 1)))
    block = (b"\0" * length, b"\xff" * length, rng.bytes(length))[int(rng.integers(3))]
    return content[:start] + block + content[start + length :]


def absurd_tags(rng: np.random.Generator, content: bytes) -> bytes:
    """Tags of a TIFF have absurd numbers, types or counts, or a directory leads to itself; other files are flipped."""
    places = _entries(content)
    if not places:
        return flipped(rng, content)
    damaged = bytearray(content)
    order = "<" if content[:2] == b"II" else ">"
    big = content[2:4] in (b"+\0", b"\0+")
    for place in rng.choice(places, min(int(rng.integers(1, 4)), len(places)), replace=False):
        number = int(rng.choice(_ABSURD))
        which = int(rng.integers(4))
        if which == 0:
            struct.pack_into(f"{order}H", damaged, place + 2, int(rng.integers(0, 20)))
        elif which == 1:
            struct.pack_into(f"{order}Q" if big else f"{order}I", damaged, place + 4, number)
        elif which == 2:
            at = place + (12 if big else 8)
            struct.pack_into(f"{order}Q" if big else f"{order}I", damaged, at, number)
        else:  # the file's first directory is wherever this says
            struct.pack_into(f"{order}Q" if big else f"{order}I", damaged, 8 if big else 4, int(place))
    return bytes(damaged)


def _entries(content: bytes) -> list[int]:
    """Where the entries of a TIFF's directories stand that decide sizes and places."""
    try:
        with tifffile.TiffFile(io.BytesIO(content)) as tiff:
            return [tag.offset for page in tiff.pages for tag in page.tags if tag.code in _TAGS]  # type: ignore[union-attr]
    except Exception:  # no TIFF
        return []


MUTATIONS: tuple[Mutation, ...] = (truncated, flipped, overwritten, absurd_tags)


def mutate(seed: int, whole: dict[str, bytes]) -> tuple[str, bytes]:
    """The name and the content of the damaged slide of that number."""
    rng = np.random.default_rng(seed)
    name = sorted(whole)[seed % len(whole)]
    mutation = MUTATIONS[(seed // len(whole)) % len(MUTATIONS)]
    return f"{seed:04}-{mutation.__name__}-{name}", mutation(rng, of_own_series(whole[name], seed))


def of_own_series(content: bytes, number: int) -> bytes:
    """The content; if it is DICOM, of a series of its own, since all files of one series are one slide."""
    start = content.find(_SERIES)
    if start < 0:
        return content
    (length,) = struct.unpack_from("<H", content, start + len(_SERIES))
    end = start + len(_SERIES) + 2 + length
    digits = f"{number:06}".encode()
    tail = content[end - 1 : end] if content[end - 1 : end] == b"\0" else b""  # UIDs are of even length
    return content[: end - len(digits) - len(tail)] + digits + tail + content[end:]


def oddities(folder: Path) -> list[str]:
    """What isn't a slide at all, or far too large a one, beside the damaged ones; their names."""
    made: dict[str, bytes] = {
        "empty.svs": b"",
        "text.svs": b"no slide",
        "zip.ndpi": b"PK\x03\x04" + bytes(500),
        "bomb.png": png_of(60_000, 60_000),
        "bomb-rows.png": png_of(100, 100, rows=10_000_000),
        "bomb.jpg": jpeg_of(65_500, 65_500),
        "huge.tif": huge_tiff(),
        "zipbomb.tif": zip_bomb_tiff(),
    }
    for name, content in made.items():
        (folder / name).write_bytes(content)
    (folder / "folder.svs").mkdir()
    (folder / "loop.svs").symlink_to(folder / "loop.svs")
    (folder / "nowhere.svs").symlink_to(folder / "absent.svs")
    (folder / "secret.svs").write_bytes(b"II*\0" + bytes(100))
    (folder / "secret.svs").chmod(0)
    return [*made, "loop.svs", "nowhere.svs", "secret.svs"]


def special_files(folder: Path) -> None:
    """A pipe that nobody writes to, and a socket: to open one would wait for ever."""
    os.mkfifo(folder / "pipe.svs")
    with socket.socket(socket.AF_UNIX) as unix:
        before = Path.cwd()
        os.chdir(folder)  # a socket's path may have 107 bytes
        unix.bind("socket.svs")
        os.chdir(before)


def png_of(width: int, height: int, *, rows: int = 0) -> bytes:
    """A PNG whose header states a size, and whose data inflate to so many bytes of zeros."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(rows * 30), 9) if rows else zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def jpeg_of(width: int, height: int) -> bytes:
    """A JPEG whose header states a size."""
    memory = io.BytesIO()
    Image.new("RGB", (16, 16)).save(memory, "JPEG")
    content = bytearray(memory.getvalue())
    frame = content.index(b"\xff\xc0") + 5
    struct.pack_into(">HH", content, frame, height, width)
    return bytes(content)


def huge_tiff() -> bytes:
    """A tiled TIFF of 2³¹ × 2³¹ px without data."""
    memory = io.BytesIO()
    with tifffile.TiffWriter(memory, bigtiff=True) as file:
        file.write(
            np.zeros((64, 64, 3), np.uint8), photometric="rgb", tile=(64, 64), resolution=(40000, 40000),
            resolutionunit="CENTIMETER", metadata=None,
        )  # fmt: skip
    content = bytearray(memory.getvalue())
    with tifffile.TiffFile(io.BytesIO(bytes(content))) as tiff:
        tags = tiff.pages.first.tags
        for name in ("ImageWidth", "ImageLength"):
            struct.pack_into("<H", content, tags[name].offset + 2, 4)
            struct.pack_into("<I", content, tags[name].offset + 12, 2**31)
    return bytes(content)


def zip_bomb_tiff() -> bytes:
    """A TIFF whose one tile of 256 px inflates to a gigabyte."""
    memory = io.BytesIO()
    with tifffile.TiffWriter(memory) as file:
        file.write(
            np.zeros((_OCTETS, _OCTETS, 3), np.uint8), photometric="rgb", tile=(256, 256), compression="deflate",
            resolution=(40000, 40000), resolutionunit="CENTIMETER", metadata=None,
        )  # fmt: skip
    content = memory.getvalue()
    with tifffile.TiffFile(io.BytesIO(content)) as tiff:
        tags = tiff.pages.first.tags
        at, count = tags["TileOffsets"].offset, tags["TileByteCounts"].offset
    bomb = zlib.compressobj(9)
    data = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(1024)) + bomb.flush()
    damaged = bytearray(content)
    struct.pack_into("<I", damaged, at + 8, len(content))
    struct.pack_into("<I", damaged, count + 8, len(data))
    return bytes(damaged) + data
