"""Folders of images: classes, sizes, what is left out, and what is refused by name."""

import sys

import numpy as np
import pytest
from PIL import Image

from skhp.exceptions import SettingsError, TableError
from skhp.tables.image_folder import read_images


@pytest.fixture
def folder(tmp_path):
    """Six images of 5 x 4 of the class "cat", four of "dog"."""
    random = np.random.default_rng(0)
    for name, count in (("cat", 6), ("dog", 4)):
        for n in range(count):
            draw(tmp_path / name / f"{n}.png", random.integers(0, 256, (4, 5)))
    return tmp_path


def draw(path, pixels):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)


def test_each_folder_is_a_class_of_its_images(folder):
    images = read_images(folder)
    assert images.inputs.shape == (10, 4, 5)
    assert images.inputs.dtype == np.uint8
    assert images.is_grey
    assert images.size == (5, 4)
    assert images.target.labels.tolist() == ["cat", "dog"]
    assert images.target.codes.tolist() == [0] * 6 + [1] * 4
    np.testing.assert_array_equal(images.inputs[6], Image.open(folder / "dog" / "0.png"))
    assert images.notes == ()


def test_one_image_in_colour_makes_all_of_them_so(folder):
    draw(folder / "dog" / "9.png", np.full((4, 5, 3), (1, 2, 3)))
    images = read_images(folder)
    assert images.inputs.shape == (11, 4, 5, 3)
    assert images.inputs[-1, 0, 0].tolist() == [1, 2, 3]
    # Grey images that are stored in three colours are grey.
    draw(folder / "dog" / "9.png", np.full((4, 5, 3), 7))
    assert read_images(folder).is_grey


def test_what_is_not_an_image_is_left_out_by_name(folder):
    (folder / "notes.txt").write_text("text")
    (folder / "cat" / "names.csv").write_text("text")
    (folder / "cat" / ".DS_Store").write_text("text")
    (folder / ".cache").mkdir()
    draw(folder / "cat" / "more" / "1.png", [[1]])
    said = read_images(folder).notes
    assert said == (
        "1 file is not in the folder of a class and is left out: 'notes.txt'.",
        "1 folder is within the folder of a class and is left out: 'cat/more'.",
        "1 file is not an image and is left out: 'cat/names.csv'.",
    )


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_other_sizes_are_stretched_to_the_most_frequent_and_it_is_said(suffix, folder):
    for n in range(3):
        draw(folder / "dog" / f"other{n}.{suffix}", np.full((9, 2), 100))
    images = read_images(folder)
    assert images.inputs.shape == (13, 4, 5)
    (note, *_) = images.notes
    assert "3 of 13 images are stretched to 5 x 4 pixels (the images have 2 x 9 to 5 x 4)" in note
    asked = read_images(folder, (3, 2))
    assert asked.inputs.shape == (13, 2, 3)
    assert "all images are stretched to 3 x 2 pixels" in asked.notes[0]
    assert "add --image-size" in note
    assert "add --image-size" not in asked.notes[0]


def test_where_no_size_is_frequent_the_median_is_taken_and_large_ones_are_scaled(tmp_path):
    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        for n in range(4):
            height, width = 100 + n, 200 + 2 * n + (name == "dog")
            draw(tmp_path / name / f"{n}.png", random.integers(0, 256, (height, width)))
    assert read_images(tmp_path).size == (64, 32)


def test_copies_are_pointed_out(folder):
    (folder / "dog" / "copy.png").write_bytes((folder / "cat" / "2.png").read_bytes())
    (note,) = read_images(folder).notes
    assert note.startswith("1 image is a copy of another, such as 'dog/copy.png' of 'cat/2.png'")


def remove(folder, *names):
    for name in names:
        for path in (folder / name).iterdir():
            path.unlink()
        (folder / name).rmdir()


def one_class(folder):
    remove(folder, "dog")


def nothing(folder):
    remove(folder, "dog", "cat")


def no_folders(folder):
    nothing(folder)
    draw(folder / "1.png", [[1]])


def an_empty_class(folder):
    (folder / "fish").mkdir()


def few_images(folder):
    (folder / "dog" / "0.png").unlink()


def broken_files(folder):
    (folder / "cat" / "0.png").write_text("text")
    whole = (folder / "dog" / "1.png").read_bytes()
    (folder / "dog" / "1.png").write_bytes(whole[: len(whole) // 2])


def cut_short(folder):
    whole = (folder / "dog" / "1.png").read_bytes()
    (folder / "dog" / "1.png").write_bytes(whole[:-30])


def folders_of_folders(folder):
    (folder / "dog").rename(folder / "cats")
    (folder / "train").mkdir()
    for name in ("cat", "cats"):
        (folder / name).rename(folder / "train" / name)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (nothing, "holds nothing: one folder of images for each class is needed"),
        (no_folders, "holds 1 files, but no folders"),
        (one_class, "one class only, the folder 'cat'"),
        (an_empty_class, "the folder 'fish' of .* holds no image: put images"),
        (few_images, "the folder 'dog' of .* has 3 images, and at least 4"),
        (broken_files, r"cat/0.png' is broken .*: mend or remove what is broken"),
        (cut_short, r"dog/1.png' is broken \(.*\): mend or remove"),
        (folders_of_folders, "'train' of .* holds no files but folders, such as 'cat': give"),
    ],
)
def test_what_cannot_be_learnt_is_refused(spoil, message, folder):
    spoil(folder)
    with pytest.raises(TableError, match=message):
        read_images(folder)


def test_a_folder_is_needed(folder):
    with pytest.raises(TableError, match=r"no such folder: .*none"):
        read_images(folder / "none")
    with pytest.raises(TableError, match=r"0.png' is a file: give --images a folder"):
        read_images(folder / "cat" / "0.png")


def test_without_pillow_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(SettingsError, match=r"Pillow, which is not installed: pip install pillow"):
        read_images(folder)
