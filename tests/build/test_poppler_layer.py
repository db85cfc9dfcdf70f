"""The poppler layer as Lambda finds it: nothing of this machine's poppler, libraries, fonts or settings is at hand."""

import io
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageStat

from pagewise.model import PageRange
from pagewise.pages.images import PageImage
from pagewise.pages.rendering import Renderer, inspect
from tests.build.unembedded import CELL, FONTS, Font, line, pdf

MEGABYTE = 1_000_000
DPI = 72


def run(layer: Path, program: str, *arguments: str | Path, **environment: str) -> bytes:
    command = [layer / "bin" / program, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout


def attempt(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env={**os.environ, **environment}, check=False, capture_output=True, text=True)


def render(layer: Path, document: Path, dpi: int = DPI) -> Image.Image:
    return Image.open(io.BytesIO(run(layer, "pdftoppm", "-r", str(dpi), "-gray", document))).convert("L")


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "with space.pdf"
    path.write_bytes(pdf(FONTS[0]))
    return path


def glyph(picture: Image.Image) -> Image.Image | None:
    """The ink of a picture, black on white, in a square of fixed size; None for a blank picture."""
    box = ImageChops.invert(picture).point(lambda grey: 255 if grey > 64 else 0).getbbox()
    return picture.crop(box).resize((32, 32)) if box else None


@pytest.mark.parametrize("font", FONTS, ids=str)
def test_a_font_that_is_not_embedded_is_drawn_by_its_stand_in(font: Font, poppler_layer: Path, tmp_path: Path) -> None:
    path = tmp_path / "page.pdf"
    path.write_bytes(pdf(font))
    page = render(poppler_layer, path)
    (stand_in,) = (poppler_layer / "poppler/share/fonts").glob(f"{font.stand_in}.*")
    expected_font = ImageFont.truetype(stand_in, 48)
    differences = []
    # Pillow reaches the glyphs of symbol fonts by their codes.
    for number, character in enumerate(font.codes or font.text):
        drawn = glyph(page.crop((number * CELL, 0, (number + 1) * CELL, CELL)))
        cell = Image.new("L", (CELL, CELL), 255)
        ImageDraw.Draw(cell).text((8, 4), character, font=expected_font, fill=0)
        expected = glyph(cell)
        assert expected is not None
        assert drawn is not None, f"{character} is blank"
        differences.append(ImageStat.Stat(ImageChops.difference(drawn, expected)).mean[0])
    # Measured: hinting, antialiasing and widths make up to 28 for a letter and 17 for a font; another letter of the
    # same font makes at least 48, the nearest other font 34.
    assert max(differences) < 35
    assert sum(differences) / len(differences) < 25


LINES = [
    ("eng", "Helvetica", "Invoice 2048 of 17 March, total 1,365.90"),
    ("eng", "Times-Roman", "Invoice 2048 of 17 March, total 1,365.90"),
    ("eng", "Courier", "Invoice 2048, total 1,365.90"),
    ("jpn", "HeiseiMin-W3", "請求書をお送りします"),
    ("kor", "HYSMyeongJo-Medium", "문서를 확인하십시오"),
    ("chi_sim", "STSong-Light", "文档识别系统"),
]


@pytest.mark.parametrize(("language", "name", "text"), LINES, ids=[name for _, name, _ in LINES])
def test_ocr_reads_text_in_a_font_that_is_not_embedded(
    language: str, name: str, text: str, poppler_layer: Path, tmp_path: Path
) -> None:
    if not shutil.which("tesseract") or language not in attempt("tesseract", "--list-langs").stdout.split():
        pytest.skip(f"Tesseract with {language} is not installed")
    path = tmp_path / "line.pdf"
    path.write_bytes(line(next(font for font in FONTS if font.name == name), text))
    render(poppler_layer, path, dpi=150).save(tmp_path / "line.png")
    read = attempt("tesseract", tmp_path / "line.png", "-", "--psm", "7", "-l", language)
    assert re.sub(r"\s", "", read.stdout) == re.sub(r"\s", "", text)


def test_nothing_outside_the_layer_is_used(poppler_layer: Path, document: Path, tmp_path: Path) -> None:
    if not (strace := shutil.which("strace")):
        pytest.skip("strace, which lists the files that a program opens, is not installed")
    trace = tmp_path / "trace"
    calls: list[str | Path] = [strace, "-f", "-qq", "-o", trace, "-e", "trace=execve,open,openat,rename,mkdir"]
    path = tmp_path / "cjk.pdf"
    path.write_bytes(pdf(FONTS[-1]))
    # A home folder as in Lambda: none that can be written to.
    subprocess.run(
        [*calls, poppler_layer / "bin/pdftoppm", "-r", "60", "-png", path, tmp_path / "page"],
        env={"HOME": "/nowhere", "LANG": "en_US.UTF-8"},
        check=True,
    )
    # What comes before the loader is the shell, which opens its own libraries.
    calls_of_layer = trace.read_text().split("/ld-linux-", 1)[1].splitlines()[1:]
    opened = [name for call in calls_of_layer for name in re.findall(r'^\d+ +\w+\((?:AT_FDCWD, )?"([^"]+)"', call)]
    cache = "/tmp/pagewise-fontconfig"  # noqa: S108 - as fonts.conf says
    # The time zone may be the machine's.
    allowed = ("/proc/self/", f"{poppler_layer}/", f"{tmp_path}/", cache, "/etc/localtime")
    assert [name for name in opened if name.startswith("/") and not name.startswith(allowed)] == []
    assert any("wqy-microhei" in name for name in opened)


def test_it_runs_where_there_is_nothing_but_a_shell(poppler_layer: Path, document: Path, tmp_path: Path) -> None:
    busybox = shutil.which("busybox")
    if os.geteuid() != 0 or not (busybox and shutil.which("unshare") and shutil.which("chroot")):
        pytest.skip("needs root, unshare and a static busybox")
    if attempt("ldd", busybox).returncode == 0:
        pytest.skip("busybox is not statically linked (package busybox-static)")
    root = tmp_path / "root"
    for folder in ("bin", "proc", "tmp"):
        (root / folder).mkdir(parents=True)
    shutil.copy(busybox, root / "bin/sh")
    shutil.copytree(poppler_layer, root / "opt")
    shutil.copy(document, root / "tmp/page.pdf")
    script = 'mount -t proc proc "$0/proc" && exec chroot "$0" /bin/sh -c "$1"'
    command = "export PATH=/opt/bin; cd /tmp && pdftoppm -r 60 -png page.pdf page && pdfinfo page.pdf"
    done = attempt("unshare", "--mount", "--pid", "--fork", "sh", "-c", script, root, command)
    assert done.returncode == 0, done.stderr
    assert "Pages:           1" in done.stdout.splitlines()
    assert (root / "tmp/page-1.png").stat().st_size > 1000


def test_the_wrappers_work_from_any_folder_and_by_any_path(poppler_layer: Path, document: Path) -> None:
    expected = attempt(poppler_layer / "bin/pdfinfo", document).stdout
    bin_folder = poppler_layer / "bin"
    for folder, program in [(bin_folder, "./pdfinfo"), (poppler_layer, "bin/pdfinfo"), (Path("/"), "pdfinfo")]:
        done = attempt("/bin/sh", "-c", 'cd "$0" && PATH=$1 && "$2" "$3"', folder, bin_folder, program, document)
        assert (done.stdout, done.stderr) == (expected, "")


def test_the_splitter_renders_with_it(poppler_layer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the guards: limits, and no environment but the layer's own."""
    path = tmp_path / "page.pdf"
    path.write_bytes(pdf(FONTS[-1]))
    monkeypatch.setenv("PATH", f"{poppler_layer / 'bin'}:{os.environ['PATH']}")
    (page,) = Renderer(dpi=DPI).render(path, inspect(path), PageRange(1, 1))
    assert isinstance(page, PageImage)
    assert Image.open(io.BytesIO(page.content)).convert("L").tobytes() == render(poppler_layer, path).tobytes()


def test_text_and_pictures_are_listed(poppler_layer: Path, document: Path) -> None:
    assert "".join(run(poppler_layer, "pdftotext", document, "-").decode().split()) == FONTS[0].text
    assert run(poppler_layer, "pdfimages", "-list", document).startswith(b"page")


def test_settings_of_the_host_do_not_reach_it(poppler_layer: Path, document: Path) -> None:
    hostile = {
        "LD_PRELOAD": "/lib/x86_64-linux-gnu/libm.so.6",
        "LD_LIBRARY_PATH": "/usr/lib/x86_64-linux-gnu",
        "FONTCONFIG_FILE": "/dev/null",
        "FONTCONFIG_PATH": "/nowhere",
    }
    assert run(poppler_layer, "pdftoppm", document, **hostile) == run(poppler_layer, "pdftoppm", document)


def test_it_fails_as_poppler_does(poppler_layer: Path, tmp_path: Path) -> None:
    path = tmp_path / "no.pdf"
    path.write_bytes(b"no PDF at all")
    done = attempt(poppler_layer / "bin/pdfinfo", path)
    assert done.returncode == 1
    assert "May not be a PDF file" in done.stderr


def test_lambda_has_room_for_it(poppler_layer: Path) -> None:
    files = [path for path in poppler_layer.rglob("*") if path.is_file()]
    # 39 MB from Debian 12, 61 from Debian 13, whose poppler fetches over HTTPS.
    assert sum(path.stat().st_size for path in files) < 70 * MEGABYTE
    assert not (poppler_layer / "lib").exists(), "Lambda's runtime would load libraries from /opt/lib"
    assert not [path for path in poppler_layer.rglob("*") if path.is_symlink()]


def test_it_says_what_it_is_made_of(poppler_layer: Path) -> None:
    packages = (poppler_layer / "poppler/packages.txt").read_text().split()
    names = {package.split("_")[0] for package in packages}
    assert {"poppler-utils", "poppler-data", "libc6", "fonts-urw-base35", "fonts-wqy-microhei"} <= names
    assert {"poppler-utils", "poppler-data", "libc6"} <= {
        path.name for path in (poppler_layer / "poppler/licenses").iterdir()
    }
