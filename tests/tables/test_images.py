"""Image files as pixels: colours, depths, orientation, sizes, and files that are broken."""

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone

from skhp.tables.images import (
    ImagePixels,
    UnreadableImageError,
    brightness,
    image_size,
    read_pixels,
)

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


def saved(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


def test_grey_pixels_are_those_of_the_file_in_each_colour(tmp_path):
    pixels = read_pixels(saved(tmp_path / "a.png", GREY), (4, 3))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, np.repeat(GREY[:, :, None], 3, axis=2))


def test_sixteen_bits_are_scaled_and_not_cut_off(tmp_path):
    path = saved(tmp_path / "a.png", (GREY.astype(np.uint16) * 257))
    np.testing.assert_allclose(read_pixels(path, (4, 3))[:, :, 0], GREY, atol=1)


def test_transparent_parts_are_white(tmp_path):
    colours = np.zeros((3, 4, 4), np.uint8)
    colours[0, :, 3] = 255
    pixels = read_pixels(saved(tmp_path / "a.png", colours), (4, 3))
    assert (pixels[0] == 0).all()
    assert (pixels[1:] == 255).all()


def test_a_photo_stands_upright(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    path = saved(tmp_path / "a.png", GREY, exif=turned)
    assert image_size(path) == (3, 4)
    np.testing.assert_array_equal(read_pixels(path, (3, 4))[:, :, 0], np.rot90(GREY, -1))


def test_another_size_is_stretched(tmp_path):
    path = saved(tmp_path / "a.png", np.repeat(np.repeat(GREY, 2, axis=0), 2, axis=1))
    halved = read_pixels(path, (4, 3))[:, :, 0].astype(int)
    assert halved.shape == (3, 4)
    assert np.abs(halved - GREY).max() <= 20


def test_what_is_not_an_image_is_told_from_what_is_broken(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "a").write_bytes(b"")
    assert image_size(tmp_path / "a.txt") is None
    assert image_size(tmp_path / "a") is None
    for name, content in (("empty.png", b""), ("text.jpg", b"text")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnreadableImageError, match="not that of an image"):
            image_size(tmp_path / name)
    whole = saved(tmp_path / "a.png", np.random.default_rng(0).integers(0, 255, (50, 50), np.uint8))
    # An image is known by its content, whatever its name.
    named = tmp_path / "picture"
    named.write_bytes(whole.read_bytes())
    assert image_size(named) == (50, 50)
    photo = tmp_path / "photo.jpg"
    Image.open(whole).save(photo)
    photo.write_bytes(photo.read_bytes()[:-900])
    assert image_size(photo) == (50, 50)
    with pytest.raises(UnreadableImageError, match="truncated"):
        read_pixels(photo, (50, 50))


def test_brightness_is_that_of_pillow():
    colours = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3), dtype=np.uint8)
    expected = [np.asarray(Image.fromarray(one).convert("L")) for one in colours]
    np.testing.assert_array_equal(brightness(colours), expected)


def test_a_pipeline_takes_pixels_or_paths(tmp_path):
    paths = [saved(tmp_path / f"{n}.png", GREY + n) for n in range(2)]
    pixels = clone(ImagePixels(4, 3)).fit(np.stack([GREY, GREY + 1]))
    expected = np.stack([GREY, GREY + 1]) / 255
    np.testing.assert_allclose(pixels.transform(np.stack([GREY, GREY + 1])), expected, rtol=1e-6)
    for given in (paths, list(map(str, paths))):
        np.testing.assert_allclose(pixels.transform(given), expected, rtol=1e-6)
    in_colour = ImagePixels(4, 3, is_grey=False).fit_transform(paths)
    np.testing.assert_allclose(in_colour, np.repeat(expected[..., None], 3, axis=3), rtol=1e-6)
    with pytest.raises(ValueError, match=r"shape \(2, 3, 5\), and images of the shape \(3, 4\)"):
        pixels.transform(np.zeros((2, 3, 5)))
    with pytest.raises(ValueError, match=r"none.png' cannot be read as an image: No such file"):
        pixels.transform([tmp_path / "none.png"])
