"""Build the documentation into `site/`: the pages of `docs/`, and a reference from the docstrings.

    python tools/docs.py                 # with Zensical
    python tools/docs.py --with mkdocs   # with MkDocs: pip install mkdocs-material
    python tools/docs.py serve           # serve at http://localhost:8000 while you write

The builder reads `build/docs/`. It contains the pages of `docs/`, whose links to files elsewhere in
the repository lead to copies, and the pages of `docs_reference`. Any warning of a builder is an
error: links, anchors and names that lead nowhere. Afterwards the HTML is checked: it may load
nothing from another host, and no link within the site may be broken. Needs
`pip install -e '.[docs]'`.
"""

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Optional
from urllib.parse import unquote, urldefrag, urlsplit

import docs_reference

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
STAGE = ROOT / "build" / "docs"
SITE = ROOT / "site"

BUILDERS = {
    "zensical": ("zensical", "build", "--clean", "--strict"),
    "mkdocs": ("mkdocs", "build", "--clean", "--strict", "--quiet"),
}

LOADED = {
    "audio": ("src",),
    "embed": ("src",),
    "form": ("action",),
    "iframe": ("src",),
    "image": ("href", "xlink:href"),
    "img": ("src", "srcset"),
    "input": ("src",),
    "link": ("href",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "track": ("src",),
    "use": ("href", "xlink:href"),
    "video": ("src", "poster"),
}
"""Elements, with the attributes whose addresses a browser loads without a click."""

NOT_LOADED = frozenset({"canonical", "alternate", "prev", "next", "license", "author"})
"""Relations of a `link` whose address a browser does not load."""


LINK = re.compile(r"\[([^\]]*)\]\((\.\.[^)#\s]*)(#[^)\s]*)?\)")


def staged() -> dict[str, bytes]:
    """Return the files that the builder reads: their paths and contents."""
    files: dict[str, bytes] = {}
    for path in sorted(filter(Path.is_file, DOCS.rglob("*"))):
        name = path.relative_to(DOCS).as_posix()
        if path.suffix == ".md":
            text, copied = within(path.read_text("utf-8"), path)
            files[name] = text.encode()
            files.update(copied)
        else:
            files[name] = path.read_bytes()
    pages = docs_reference.pages()
    files.update((name, text.encode()) for name, text in pages.items())
    return files


def within(text: str, path: Path) -> tuple[str, dict[str, bytes]]:
    """Return a page whose links stay in the site, and the files that it needs for that.

    A link to a file outside `docs/` leads to a copy. Folders and other documents are not part of
    the site, so a link to one is replaced by its path.
    """
    copied: dict[str, bytes] = {}

    def replace(found: "re.Match[str]") -> str:
        target = (path.parent / found[2]).resolve()
        if DOCS in target.parents or not target.exists():
            return found[0]
        name = target.relative_to(ROOT).as_posix()
        if target.is_dir() or target.suffix == ".md":
            return f"{found[1]} (`{name}`)"
        copied[f"files/{name}"] = target.read_bytes()
        up = os.path.relpath(DOCS, path.parent)
        return f"[{found[1]}]({Path(up, 'files', name).as_posix()})"

    return LINK.sub(replace, text), copied


def stage(folder: Path = STAGE) -> None:
    """Write the files that the builder reads, and remove those of earlier builds."""
    wanted = {folder / name: content for name, content in staged().items()}
    for path in filter(Path.is_file, folder.rglob("*")):
        if path not in wanted:
            path.unlink()
    for path, content in wanted.items():
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


class Page(HTMLParser):
    """A page of the site: what it loads, where its links lead, and which anchors it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self._in_style = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: "list[tuple[str, Optional[str]]]") -> None:
        """Note what a tag loads, links to and can be linked by."""
        values = {name: value or "" for name, value in attrs}
        self.anchors.update(values[name] for name in ("id", "name") if name in values)
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        is_loaded = not (tag == "link" and NOT_LOADED & set(values.get("rel", "").split()))
        for name in LOADED.get(tag, ()) if is_loaded else ():
            for each in values.get(name, "").split(",") if name == "srcset" else [values.get(name)]:
                if each:
                    self.loads.append(each.split()[0])
        self.loads += addresses_of_css(values.get("style", ""))
        self._in_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        """End a `style` element."""
        self._in_style = False

    def handle_data(self, data: str) -> None:
        """Note what a `style` element loads."""
        if self._in_style:
            self.loads += addresses_of_css(data)


def addresses_of_css(text: str) -> list[str]:
    """Return the addresses that a style sheet loads by `url(...)` or `@import`."""
    found = re.findall(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""", text)
    return [one or other for one, other in found]


def is_outside(address: str) -> bool:
    """Return whether an address is on another host."""
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in ("http", "https", "ws", "wss")


def faults(site: Path) -> Iterator[str]:
    """Yield a line for everything that a page loads from another host, and for each broken link."""
    pages = {path: Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        yield from (f"{name} loads {each}" for each in page.loads if is_outside(each))
        # The links of the error page are absolute, because it can appear at any address.
        if name != "404.html":
            yield from (
                f"{name} links to {each}" for each in page.links if broken(each, path, pages)
            )
    for path in sorted(site.rglob("*.css")):
        for each in addresses_of_css(path.read_text("utf-8")):
            if is_outside(each):
                yield f"{path.relative_to(site).as_posix()} loads {each}"


def broken(link: str, path: Path, pages: dict[Path, Page]) -> bool:
    """Return whether a link leads to a page, a file or an anchor that does not exist."""
    address, anchor = urldefrag(link)
    if is_outside(address) or urlsplit(address).scheme:
        return False
    target = path if not address else (path.parent / unquote(address)).resolve()
    if target.is_dir():
        target = target / "index.html"
    if not target.exists():
        return True
    page = pages.get(target)
    return bool(anchor) and page is not None and unquote(anchor) not in page.anchors


def build(builder: str) -> int:
    """Build the site and check it; return the exit status."""
    if importlib.util.find_spec(builder) is None:
        extra = {"zensical": "-e '.[docs]'", "mkdocs": "-e '.[docs]' mkdocs-material"}
        print(f"{builder} is not installed: pip install {extra[builder]}")
        return 1
    stage()
    shutil.rmtree(SITE, ignore_errors=True)
    command = [sys.executable, "-m", *BUILDERS[builder]]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.STDOUT, stdout=subprocess.PIPE)
    warned = False
    assert process.stdout is not None
    for line in process.stdout:
        sys.stdout.buffer.write(line)
        # Zensical only warns about docstrings that it cannot read.
        warned = warned or line.startswith(b"griffe:")
    if process.wait() or warned:
        return 1
    found = list(faults(SITE))
    print(*found, sep="\n", end="\n" * bool(found))
    return 1 if found else 0


def serve() -> int:
    """Serve the site, and update it when a page changes; return the exit status."""
    stage()
    process = subprocess.Popen([sys.executable, "-m", "zensical", "serve"], cwd=ROOT)
    try:
        while True:
            try:
                return process.wait(1)
            except subprocess.TimeoutExpired:
                stage()
    finally:
        process.terminate()


def main(arguments: list[str]) -> int:
    """Build or serve; return the exit status."""
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser("tools/docs.py", description=about)
    parser.add_argument("what", nargs="?", choices=("build", "serve"), default="build")
    parser.add_argument("--with", dest="builder", choices=tuple(BUILDERS), default="zensical")
    chosen = parser.parse_args(arguments)
    try:
        return build(chosen.builder) if chosen.what == "build" else serve()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
