"""The source distribution holds what a packager needs to test skhp and to build its site."""

import shutil
import subprocess
import sys
import tarfile
from email.parser import Parser
from pathlib import Path

import pytest

import skhp

ROOT = Path(__file__).parents[1]
BUILD = "from setuptools import build_meta; print(build_meta.build_sdist('dist'))"
# What only serves work in the repository.
LEFT_OUT = {".gitignore", ".pre-commit-config.yaml"}


@pytest.fixture(scope="module")
def tracked():
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs the repository")
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z"], check=True, capture_output=True, text=True
    ).stdout
    # A file that was deleted and not committed yet is listed, too.
    return {name for name in listed.split("\0") if name and (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def sdist(tracked, tmp_path_factory):
    """Content of each file, by its path in the distribution."""
    pytest.importorskip("setuptools")
    tree = tmp_path_factory.mktemp("sdist")
    for name in tracked:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name)
    built = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BUILD],
        check=True,
        capture_output=True,
        text=True,
        cwd=tree,
    ).stdout.split()[-1]
    with tarfile.open(tree / "dist" / built) as archive:
        return {
            member.name.partition("/")[2]: archive.extractfile(member).read()
            for member in archive.getmembers()
            if member.isfile()
        }


def test_it_holds_tests_docs_changelog_and_makefile(sdist, tracked):
    assert {"Makefile", "CHANGELOG.md", "CITATION.cff", "docs/conf.py"} < sdist.keys()
    assert tracked - sdist.keys() == LEFT_OUT
    made = {"PKG-INFO", "setup.cfg"}
    others = {name for name in sdist.keys() - tracked - made if "egg-info/" not in name}
    assert others == set()


def test_its_metadata_say_what_skhp_is(sdist):
    metadata = Parser().parsestr(sdist["PKG-INFO"].decode())
    assert metadata["Version"] == skhp.__version__
    assert metadata["Author"] == "the skhp developers"
    assert "scikit-learn" in metadata["Keywords"]
    assert "Typing :: Typed" in metadata.get_all("Classifier")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.strip() in (metadata.get_payload() or metadata["Description"])
