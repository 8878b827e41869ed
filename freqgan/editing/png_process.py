"""A process that decodes one PNG file from its input, and writes the pixels as they are to its output.

Run as a script it imports nothing of freqgan, so that it starts within a fifth of a second.
"""

import io
import resource
import struct
import sys

from PIL import Image, ImageFile

MODES = ("1", "L", "P", "RGB", "RGBA", "I;16")
SECONDS = 5
MEMORY = 512 * 2**20  # of which the interpreter and Pillow take a third
_HEAD = struct.Struct(">BIIH")


def received(sent: bytes) -> Image.Image:
    """The picture that the process has sent."""
    mode, width, height, colors = _HEAD.unpack_from(sent)
    palette, pixels = sent[_HEAD.size : _HEAD.size + colors], sent[_HEAD.size + colors :]
    image = Image.frombytes(MODES[mode], (width, height), pixels)
    if colors:
        image.putpalette(palette)
    return image


def decoded(content: bytes, max_pixels: int) -> bytes:
    """Mode, size, palette and pixels of a file."""
    image: ImageFile.ImageFile = Image.open(io.BytesIO(content), formats=["PNG"])
    if image.width * image.height > max_pixels:
        raise ValueError("larger than its header said")
    image.load()
    plain = image.convert("RGBA") if image.mode not in MODES else image
    palette = bytes(plain.getpalette("RGB") or ()) if plain.mode == "P" else b""
    return _HEAD.pack(MODES.index(plain.mode), plain.width, plain.height, len(palette)) + palette + plain.tobytes()


def main() -> None:
    """Within limits of memory and processor time; status 1 if it cannot be decoded."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    try:
        sent = decoded(sys.stdin.buffer.read(), int(sys.argv[1]))
    except Exception:
        sys.exit(1)
    sys.stdout.buffer.write(sent)


if __name__ == "__main__":
    main()
