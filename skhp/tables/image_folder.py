"""Read a folder of images with one subfolder per class."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from skhp.exceptions import SettingsError, TableError
from skhp.tables.images import (
    UnreadableImageError,
    image_size,
    read_pixels,
)
from skhp.tables.target import MIN_CLASS_ROWS, Target, encode_target

_SHOWN = 5
_MOST_PIXELS_A_SIDE = 64


@dataclass(frozen=True, eq=False)
class ImageFolder:
    """Images of one size, and their classes."""

    name: str
    inputs: np.ndarray  # (images, height, width), or (images, height, width, 3), from 0 to 255
    target: Target
    notes: tuple[str, ...] = ()  # sentences on what a user should look at

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        height, width = self.inputs.shape[1:3]
        return width, height

    @property
    def is_grey(self) -> bool:
        """Whether the images have one channel."""
        return self.inputs.ndim == 3


def read_images(folder: Path, size: tuple[int, int] | None = None) -> ImageFolder:
    """Read the images of a folder, whose subfolders have the names of the classes.

    Images are stretched to `size`, (width, height). None is their most frequent size or, if less
    than half of them have it, the median width and the median height; either is scaled down to at
    most 64 pixels a side. Files that are not images are left out, and a note names them. A broken
    image raises a TableError, and so does a class of too few images.
    """
    _require_pillow()
    folder = Path(folder)
    try:
        classes, notes = _files_of_classes(folder)
        files, left_out, sizes = _images_among(classes)
    except OSError as error:
        raise TableError(
            f"{error.filename or str(folder)!r} cannot be read ({error.strerror or error}): give a "
            "folder that can be read."
        ) from error
    if left_out:
        notes.append(_left_out(left_out, folder, ("file is not an image", "files are not images")))
    _require_images(folder, files)
    paths = [path for of_class in files.values() for path in of_class]
    chosen = _size_of_all(sizes) if size is None else size
    notes += _size_notes(sizes, chosen, is_given=size is not None)
    notes += _copy_notes(paths, folder)
    pixels = _pixels(paths, folder, chosen)
    labels = [name for name, of_class in files.items() for _ in of_class]
    target = encode_target(pd.Series(labels, dtype=object), "folder")
    return ImageFolder(folder.resolve().name or str(folder), pixels, target, tuple(notes))


def _require_pillow() -> None:
    try:
        import PIL.Image
    except ImportError:
        raise SettingsError(
            "images are read by Pillow, which is not installed: pip install pillow, or install "
            "skhp with its extra, skhp[images]."
        ) from None
    _ = PIL.Image


def _files_of_classes(folder: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """The files of each class, and notes on everything else in the folder."""
    if not folder.exists():
        raise TableError(
            f"no such folder: {str(folder)!r}. Give the path of a folder that holds one folder of "
            "images for each class."
        )
    if not folder.is_dir():
        raise TableError(
            f"{str(folder)!r} is a file: give --images a folder that holds one folder of images "
            "for each class."
        )
    entries = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    classes = {
        path.name: [one for one in sorted(path.iterdir()) if not one.name.startswith(".")]
        for path in entries
        if path.is_dir()
    }
    files = [path for path in entries if not path.is_dir()]
    if not classes:
        what = f"{len(files)} files, but no folders" if files else "nothing"
        raise TableError(
            f"{str(folder)!r} holds {what}: one folder of images for each class is needed."
        )
    notes = []
    if files:
        where = "not in the folder of a class"
        notes.append(_left_out(files, folder, (f"file is {where}", f"files are {where}")))
    within = [path for of_class in classes.values() for path in of_class if path.is_dir()]
    for name, of_class in classes.items():
        if of_class and all(path.is_dir() for path in of_class):
            raise TableError(
                f"the folder {name!r} of {str(folder)!r} holds no files but folders, such as "
                f"{of_class[0].name!r}: give --images the folder whose folders are the classes, "
                f"such as {str(folder / name)!r}."
            )
    if within:
        where = "within the folder of a class"
        notes.append(_left_out(within, folder, (f"folder is {where}", f"folders are {where}")))
    return {
        name: [path for path in of_class if not path.is_dir()] for name, of_class in classes.items()
    }, notes


def _images_among(
    classes: dict[str, list[Path]],
) -> tuple[dict[str, list[Path]], list[Path], list[tuple[int, int]]]:
    """The images of each class, the files that are not images, and the sizes of the images."""
    images: dict[str, list[Path]] = {}
    left_out: list[Path] = []
    broken: dict[Path, str] = {}
    sizes: list[tuple[int, int]] = []
    for name, paths in classes.items():
        images[name] = []
        for path in paths:
            try:
                size = image_size(path)
            except UnreadableImageError as error:
                broken[path] = str(error)
                continue
            if size is None:
                left_out.append(path)
            else:
                images[name].append(path)
                sizes.append(size)
    _refuse_broken(broken)
    return images, left_out, sizes


def _refuse_broken(broken: dict[Path, str]) -> None:
    if not broken:
        return
    path, reason = next(iter(broken.items()))
    others = [repr(str(other)) for other in list(broken)[1:_SHOWN]]
    rest = len(broken) - 1 - len(others)
    more = f"; {', '.join(others)}{f' and {rest} more' if rest else ''} as well" if others else ""
    raise TableError(
        f"the image {str(path)!r} is broken ({reason}){more}: mend or remove what is broken."
    )


def _require_images(folder: Path, files: dict[str, list[Path]]) -> None:
    counts = {name: len(of_class) for name, of_class in files.items()}
    if empty := [name for name, count in counts.items() if not count]:
        raise TableError(
            f"the folder {empty[0]!r} of {str(folder)!r} holds no image: put images of that class "
            "into it, or remove it."
        )
    if len(counts) == 1:
        raise TableError(
            f"{str(folder)!r} has one class only, the folder {next(iter(counts))!r}: a folder for "
            "each of two classes or more is needed."
        )
    name, least = min(counts.items(), key=lambda of: of[1])
    if least < MIN_CLASS_ROWS:
        images = "a single image" if least == 1 else f"{least} images"
        raise TableError(
            f"the folder {name!r} of {str(folder)!r} has {images}, and at least {MIN_CLASS_ROWS} "
            "are needed to train, stop and test: add images of that class, or remove it."
        )


def _size_of_all(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    (size, count), *_ = Counter(sorted(sizes)).most_common()
    if 2 * count < len(sizes):
        size = (int(np.median([w for w, _ in sizes])), int(np.median([h for _, h in sizes])))
    scale = min(1.0, _MOST_PIXELS_A_SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _size_notes(
    sizes: Sequence[tuple[int, int]], chosen: tuple[int, int], *, is_given: bool
) -> Iterator[str]:
    n_others = sum(size != chosen for size in sizes)
    if not n_others:
        return
    width, height = chosen
    which = "all images" if n_others == len(sizes) else f"{n_others} of {len(sizes)} images"
    least, most = min(sizes, key=lambda s: s[0] * s[1]), max(sizes, key=lambda s: s[0] * s[1])
    had = (
        f"{least[0]} x {least[1]}"
        if least == most
        else f"{least[0]} x {least[1]} to {most[0]} x {most[1]}"
    )
    another = f"; for another size add --image-size, such as --image-size {width}x{height}"
    yield (
        f"{which} are stretched to {width} x {height} pixels (the images have {had})"
        f"{'' if is_given else another}."
    )


def _copy_notes(paths: Sequence[Path], folder: Path) -> Iterator[str]:
    """A sentence on copied images, as training and test rows may both hold a copy."""
    by_content: dict[str, list[Path]] = {}
    by_length: dict[int, list[Path]] = {}
    for path in paths:
        by_length.setdefault(path.stat().st_size, []).append(path)
    for alike in by_length.values():
        if len(alike) > 1:
            for path in alike:
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                by_content.setdefault(digest, []).append(path)
    copies = [of for of in by_content.values() if len(of) > 1]
    if not copies:
        return
    n_copies = sum(len(of) - 1 for of in copies)
    first, second, *_ = (str(path.relative_to(folder)) for path in copies[0])
    yield (
        f"{n_copies} {'image is a copy' if n_copies == 1 else 'images are copies'} of another, "
        f"such as {second!r} of {first!r}: copies among the test images make the scores look "
        "better."
    )


def _pixels(paths: Sequence[Path], folder: Path, size: tuple[int, int]) -> np.ndarray:
    width, height = size
    pixels = np.empty((len(paths), height, width, 3), np.uint8)
    broken: dict[Path, str] = {}
    is_grey = True
    for place, path in enumerate(paths):
        try:
            image = read_pixels(path, size)
        except UnreadableImageError as error:
            broken[path] = str(error)
            continue
        pixels[place] = image
        is_grey = is_grey and bool((image == image[:, :, :1]).all())
    _refuse_broken(broken)
    return pixels[:, :, :, 0].copy() if is_grey else pixels


def _left_out(paths: Sequence[Path], folder: Path, one_or_several: tuple[str, str]) -> str:
    names = [repr(str(path.relative_to(folder))) for path in paths[:_SHOWN]]
    rest = len(paths) - len(names)
    listed = f"{', '.join(names)}{f' and {rest} more' if rest else ''}"
    what, are = (one_or_several[0], "is") if len(paths) == 1 else (one_or_several[1], "are")
    return f"{len(paths)} {what} and {are} left out: {listed}."
