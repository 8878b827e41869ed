"""A decoded picture of any mode through a network, and back into a file's bytes.

Colours go through the network in the file's own encoding, whose profile the result keeps. Transparency does not: it is
enlarged bicubically, which leaves what is opaque opaque and what is empty empty, where a network would leave specks.
Colours are not multiplied by it, since dividing by the enlarged one would make fringes. Instead pixels that cannot be
seen, whose colours are arbitrary, get that of the nearest one that can, so that nothing arbitrary bleeds into edges.
"""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from freqgan.data.pixels import as_tensor
from freqgan.data.ranges import to_bytes, to_signed_range
from freqgan.errors import UserError
from freqgan.inference.restorer import Restorer
from freqgan.inference.tiles import Tile
from freqgan.ops.color import rgb_to_ycbcr

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
_HELD = {"JPEG": ("L", "RGB"), "BMP": ("L", "RGB"), "WEBP": ("L", "LA", "RGB", "RGBA")}
_LACKS = {"I;16": "16 bits", "LA": "transparency", "RGBA": "transparency"}
_PROFILES = {"L": b"GRAY", "LA": b"GRAY", "I;16": b"GRAY", "RGB": b"RGB ", "RGBA": b"RGB "}


def restore_picture(
    image: Image.Image, restorer: Restorer, *, advance: Callable[[float], None] = lambda share: None
) -> Image.Image:
    """A picture as the network restores it.

    Args:
        image: mode L, LA, RGB, RGBA or I;16, upright.
        restorer: the network.
        advance: told of every tile the share of the picture that it is.

    Returns:
        A picture of the same mode, unless it was grey and gets colours, `scale` times as large; `info` holds nothing
        but the colour profile, if that is one for its mode.

    Raises:
        UserError: no tile fits into the memory.
        DivergedError: the network made something that is not finite.
    """
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    pixels = np.array(image if alpha is None else image.convert(image.mode[:-1]))
    if alpha is not None:
        pixels = _with_hidden_colours(pixels, np.asarray(alpha) > 0)
    restored = Image.fromarray(_restore_pixels(pixels, restorer, advance))
    if alpha is not None:
        restored.putalpha(alpha.resize(restored.size, Image.Resampling.BICUBIC))
    profile = image.info.get("icc_profile") or b""
    restored.info = {"icc_profile": profile} if profile[16:20] == _PROFILES[restored.mode] else {}
    return restored


def encode(image: Image.Image, suffix: str, *, quality: int) -> bytes:
    """A picture as the content of a file.

    Args:
        image: as `restore_picture` returns it.
        suffix: the file's, one of `FORMATS`.
        quality: of JPEG and WebP.

    Raises:
        UserError: the format cannot hold such a picture.
    """
    form = FORMATS[suffix.lower()]
    if image.mode not in _HELD.get(form, (image.mode,)):
        raise UserError(f"{form} holds no {_LACKS[image.mode]}: set format=png")
    options: dict[str, Any] = {
        "JPEG": {"quality": quality, "subsampling": "4:4:4"},
        "WEBP": {"quality": quality},
        "TIFF": {"compression": "tiff_adobe_deflate"},
    }
    content = io.BytesIO()
    try:
        image.save(content, form, icc_profile=image.info.get("icc_profile"), **options.get(form, {}))
    except (OSError, ValueError) as error:
        size = f"{image.width}x{image.height}"
        raise UserError(f"{form} cannot hold {size} pixels ({error}): set format=png") from error
    return content.getvalue()


def _restore_pixels(pixels: np.ndarray, restorer: Restorer, advance: Callable[[float], None]) -> np.ndarray:
    """Of (h, w) or (h, w, 3), uint8 or uint16; every tile is rounded before the next one is computed."""
    height, width, *colours = pixels.shape
    scale, channels = restorer.scale, restorer.channels
    coloured = not colours and channels == 3 and restorer.grey == "colour"
    kind = ((3,), np.uint8) if coloured else (tuple(colours), pixels.dtype)  # Pillow has no colours of 16 bits
    restored = np.empty((scale * height, scale * width, *kind[0]), kind[1])
    tiles = restorer.tiles(height, width, batch=3 if colours and channels == 1 else 1)

    def read(tile: Tile) -> Tensor:
        return _to_network(pixels[tile.rows.read, tile.columns.read], channels)

    for tile, result in restorer.results(tiles, read):
        target = tile.rows.target(scale), tile.columns.target(scale)
        restored[target] = _from_network(result, restored)
        advance(restored[target].size / restored.size)
    return restored


def _to_network(pixels: np.ndarray, channels: int) -> Float[Tensor, "b c h w"]:
    """Grey is repeated for a network of colours; colours are a batch for a network of grey."""
    image = to_signed_range(as_tensor(pixels))
    if image.ndim == 2:
        return image.expand(1, channels, *image.shape)
    return image.permute(2, 0, 1).reshape(-1, channels, *image.shape[:2])


def _from_network(restored: Float[Tensor, "b c h w"], like: np.ndarray) -> np.ndarray:
    if like.ndim == 2 and restored.shape[1] == 3:
        restored = rgb_to_ycbcr(restored.float())[:, :1]
    image = restored.float().cpu().flatten(0, 1)  # (1 or 3, h, w)
    if like.dtype == np.uint8:
        pixels = to_bytes(image).numpy()
    else:
        pixels = image.add(1).mul_(32767.5).round_().clamp_(0, 65535).numpy().astype(np.uint16)
    return pixels[0] if like.ndim == 2 else pixels.transpose(1, 2, 0)


def _with_hidden_colours(pixels: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Pixels that are not visible have the colour of the nearest one that is."""
    if visible.all() or not visible.any():
        return pixels
    from scipy.ndimage import distance_transform_edt

    nearest: np.ndarray = distance_transform_edt(~visible, return_distances=False, return_indices=True)
    return np.ascontiguousarray(pixels[tuple(nearest)])
