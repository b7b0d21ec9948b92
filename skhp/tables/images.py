"""Read image files with Pillow, as pixels of one size."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

_BRIGHTEST = 255
_BITS_16 = 65535


class UnreadableImageError(ValueError):
    """A file that is an image by its name or its first bytes cannot be read."""


def is_image_by_name(path: Path) -> bool:
    """Whether Pillow reads files with the ending of this file."""
    from PIL import Image

    return Image.registered_extensions().get(path.suffix.lower()) in Image.OPEN


def image_size(path: Path) -> tuple[int, int] | None:
    """Width and height of an image as viewers show it; None if the file is not an image.

    A file that is an image by its name, but not by its content, raises an UnreadableImageError.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with _without_warnings(), Image.open(path) as image:
            width, height = image.size
            # These orientations turn the image by 90 degrees.
            turned = image.getexif().get(0x0112) in (5, 6, 7, 8)
    except UnidentifiedImageError:
        if is_image_by_name(path):
            raise UnreadableImageError("its content is not that of an image") from None
        return None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadableImageError(_reason(error)) from error
    return (height, width) if turned else (width, height)


def read_pixels(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Pixels of shape (height, width, 3) in red, green and blue, from 0 to 255.

    Images of another size are stretched to `size`. Transparent parts become white, as in most
    viewers, and photos are turned upright by their orientation tag.
    """
    from PIL import Image, ImageOps

    try:
        with _without_warnings(), Image.open(path) as image:
            image.load()
            upright = ImageOps.exif_transpose(image)
            coloured = _in_colours(upright)
            if coloured.size != size:
                coloured = coloured.resize(size, Image.Resampling.BILINEAR)
            return np.asarray(coloured)
    # Pillow raises a SyntaxError for some broken files.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadableImageError(_reason(error)) from error


def _in_colours(image: Any) -> Any:
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        # Pillow would clip brightness of 16 bits at 255.
        values = np.asarray(image, dtype=float)
        if values.min() < 0 or values.max() > _BITS_16:
            raise ValueError(
                f"its brightness goes from {values.min():g} to {values.max():g}, but only "
                f"0 to {_BITS_16} is supported"
            )
        return Image.fromarray((values * (_BRIGHTEST / _BITS_16)).astype(np.uint8)).convert("RGB")
    if "A" in image.mode or "transparency" in image.info:
        transparent = image.convert("RGBA")
        white = Image.new("RGBA", transparent.size, "white")
        return Image.alpha_composite(white, transparent).convert("RGB")
    return image.convert("RGB")


def _without_warnings() -> Any:
    # Pillow warns of large images and odd metadata, neither of which affects the pixels.
    return warnings.catch_warnings(action="ignore")


def _reason(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error)).rstrip(".")


class ImagePixels(TransformerMixin, BaseEstimator):
    """Turns pixels from 0 to 255, or paths of image files, into brightness from 0 to 1.

    Parameters
    ----------
    width, height : int
        The size of all images; files of another size are stretched to this size.
    is_grey : bool
        Whether images are grey, without an axis of channels, or have three channels.
    """

    def __init__(self, width: int = 28, height: int = 28, is_grey: bool = True) -> None:
        self.width = width
        self.height = height
        self.is_grey = is_grey

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the images; nothing is learnt."""
        self._pixels(X)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, X: Any) -> np.ndarray:
        """The images in float32; a wrong shape raises a ValueError."""
        return self._pixels(X).astype(np.float32) / _BRIGHTEST

    def _pixels(self, X: Any) -> np.ndarray:
        if isinstance(X, Sequence) and len(X) and all(isinstance(x, str | os.PathLike) for x in X):
            return images_of_files([Path(x) for x in X], (self.width, self.height), self.is_grey)
        pixels = np.asarray(X)
        expected = (self.height, self.width) if self.is_grey else (self.height, self.width, 3)
        if pixels.shape[1:] != expected:
            raise ValueError(
                f"X has the shape {pixels.shape}, and images of the shape {expected} were learnt: "
                f"give pixels from 0 to 255 of the shape (n_images, "
                f"{', '.join(map(str, expected))}), or a list of paths of image files."
            )
        return pixels


def images_of_files(paths: Sequence[Path], size: tuple[int, int], is_grey: bool) -> np.ndarray:
    """Pixels of all files, from 0 to 255; a ValueError names the first unreadable file."""
    images = []
    for path in paths:
        try:
            images.append(read_pixels(path, size))
        except UnreadableImageError as error:
            raise ValueError(f"{str(path)!r} cannot be read as an image: {error}.") from error
    pixels = np.stack(images)
    if not is_grey:
        return pixels
    return brightness(pixels)


def brightness(pixels: np.ndarray) -> np.ndarray:
    """The brightness of pixels, with Pillow's weights of red, green and blue."""
    weighed = pixels.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32) + 0x8000
    return (weighed >> 16).astype(np.uint8)
