"""Builds the poppler layer from Debian or Ubuntu packages: relocatable, with its own C library, fonts and CMaps.

    python3 build.py ARTIFACTS_DIR [--architecture arm64]

    bin/pdftoppm, bin/pdfinfo … wrapper.sh: /opt/bin is on Lambda's PATH
    poppler/bin                 the programs
    poppler/lib                 every library they need with the loader; not /opt/lib, where the runtime would load them
    poppler/share               poppler-data, fonts.conf, fonts/
    poppler/packages.txt        the packages it was made from; licenses/ has their terms

The packages are those of the machine's own sources at the time of the build, checked by apt's signatures: a renderer of
untrusted files wants its security fixes. No root rights are needed, nothing is installed, and as no package of the
machine is used, the other architecture builds as well (on Debian; Ubuntu keeps arm64 on another server).
"""

import argparse
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROGRAMS = ("pdftoppm", "pdfinfo", "pdfimages", "pdftotext")

# fonts-urw-base35: the metric twins of PDF's standard 14 fonts and of PostScript's 35; 3.3 MB as OpenType.
# fonts-wqy-microhei: Chinese, Japanese and Korean in one font of 5 MB. fonts-droid-fallback has 3 of 11,172 Hangul.
FONTS = {
    "fonts-urw-base35": "usr/share/fonts/opentype/urw-base35/*.otf",
    "fonts-wqy-microhei": "usr/share/fonts/truetype/wqy/*.ttc",
}

# Compiled in: the paths of poppler-data in libpoppler, and of the lists of settings in libfontconfig. wrapper.sh
# opens the layer's share folder as file descriptor 9; slashes keep the length.
COMPILED_IN = {
    "libpoppler.so.*": (b"/usr/share/poppler", b"/proc/self/fd/9///"),
    "libfontconfig.so.*": (b"/usr/share/fontconfig/conf.avail", b"/proc/self/fd/9/conf.avail//////"),
}


def download(architecture: str, folder: Path) -> list[Path]:
    """The .deb files of poppler with all that it depends on, as on a machine where nothing is installed."""
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    options = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "",
        "Debug::NoLocking": "1",
        "Dir::Cache": folder,
        "Dir::State::Lists": folder / "lists",
        "Dir::State::Status": "/dev/null",
        "Dir::State::extended_states": folder / "extended_states",
    }
    apt = ["apt-get", "-qq", "--yes", *(f"--option={name}={setting}" for name, setting in options.items())]
    archives = folder / "archives"
    subprocess.run([*apt, "update"], check=True)
    subprocess.run([*apt, "install", "--download-only", "--no-install-recommends", "poppler-utils"], check=True)
    # Downloaded without dependencies: those of the font packages are tools of X11.
    subprocess.run([*apt, "download", "poppler-data", *FONTS], check=True, cwd=archives)
    return sorted(archives.glob("*.deb"))


def unpack(packages: list[Path], root: Path) -> None:
    for package in packages:
        subprocess.run(["dpkg-deb", "--extract", package, root], check=True)


def needed(path: Path) -> list[str]:
    """The libraries that a 64-bit little-endian ELF file names; it may be another machine's, so it is not run."""
    elf = path.read_bytes()
    (headers,) = struct.unpack_from("<Q", elf, 0x20)
    size, count = struct.unpack_from("<HH", elf, 0x36)
    segments = [struct.unpack_from("<IIQQQQ", elf, headers + size * number) for number in range(count)]
    load, dynamic = 1, 2
    tags = [
        struct.unpack_from("<qQ", elf, start)
        for kind, _, offset, _, _, length in segments
        if kind == dynamic
        for start in range(offset, offset + length, 16)
    ]
    dt_needed, dt_strtab = 1, 5
    strings = next(address for tag, address in tags if tag == dt_strtab)
    strings = next(
        strings - address + offset
        for kind, _, offset, address, _, length in segments
        if kind == load and address <= strings < address + length
    )
    return [elf[strings + name : elf.index(0, strings + name)].decode() for tag, name in tags if tag == dt_needed]


def closure(programs: list[Path], root: Path) -> dict[str, Path]:
    """Every library that the programs need, by the name the loader looks up; the loader is one of them."""
    available = {path.name: path for path in root.rglob("*.so*")}
    found: dict[str, Path] = {}
    pending = [name for program in programs for name in needed(program)]
    while pending:
        name = pending.pop()
        if name not in found:
            found[name] = available[name].resolve(strict=True)
            pending += needed(found[name])
    return found


def assemble(root: Path, layer: Path) -> None:
    home = layer / "poppler"
    for folder in (layer / "bin", home / "bin", home / "lib", home / "share/fonts"):
        folder.mkdir(parents=True)
    programs = [root / "usr/bin" / name for name in PROGRAMS]
    for program in programs:
        shutil.copy(HERE / "wrapper.sh", layer / "bin" / program.name)
        shutil.copy(program, home / "bin")
    for name, library in closure(programs, root).items():
        shutil.copy(library, home / "lib" / name)
    for pattern, (path, relocated) in COMPILED_IN.items():
        relocate(next((home / "lib").glob(pattern)), path, relocated)
    shutil.copytree(root / "usr/share/poppler", home / "share", dirs_exist_ok=True)
    shutil.copy(HERE / "fonts.conf", home / "share")
    for pattern in FONTS.values():
        for font in root.glob(pattern):
            shutil.copy(font, home / "share/fonts")


def relocate(library: Path, path: bytes, relocated: bytes) -> None:
    code = library.read_bytes()
    if path not in code:
        sys.exit(f"{library.name} does not know {path.decode()}: adapt COMPILED_IN in build.py to this version.")
    library.write_bytes(code.replace(path, relocated))


def attribute(packages: list[Path], root: Path, layer: Path) -> None:
    """Names the packages and keeps their terms: GPL, AGPL and Apache ask for it."""
    names = [package.stem.replace("%3a", ":") for package in packages]
    (layer / "poppler/packages.txt").write_text("".join(f"{name}\n" for name in names))
    (layer / "poppler/licenses").mkdir()
    for name in names:
        terms = root / "usr/share/doc" / name.split("_")[0] / "copyright"
        if terms.exists():
            shutil.copy(terms, layer / "poppler/licenses" / name.split("_")[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifacts", type=Path, help="folder to build the layer into")
    parser.add_argument("--architecture", choices=["x86_64", "arm64"], default="x86_64")
    arguments = parser.parse_args()
    layer: Path = arguments.artifacts
    for folder in (layer / "bin", layer / "poppler"):
        shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch, "root")
        root.mkdir()
        packages = download({"x86_64": "amd64"}.get(arguments.architecture, arguments.architecture), Path(scratch))
        unpack(packages, root)
        assemble(root, layer)
        attribute(packages, root, layer)


if __name__ == "__main__":
    main()
