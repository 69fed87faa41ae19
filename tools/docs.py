"""Builds the documentation into `site/`: the pages of `docs/`, and a reference from the docstrings.

    python tools/docs.py                 # with Zensical
    python tools/docs.py --with mkdocs   # with MkDocs and its theme Material, which need installing
    python tools/docs.py serve           # with Zensical, at http://localhost:8000, as pages change

What builders warn of is an error: links, anchors and names that lead nowhere. Afterwards the HTML is
looked at: it may load nothing from another host, and no link within the site may be broken.
Needs `pip install -e '.[docs]'`.
"""

import argparse
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
"""Elements and those of their attributes whose addresses a browser loads by itself."""

NOT_LOADED = frozenset({"canonical", "alternate", "prev", "next", "license", "author"})
"""What a `link` may be related by to a page of another host."""


def write_reference(folder: Path = ROOT / "docs") -> None:
    """Write the pages of the reference, and remove those that are none any more."""
    wanted = {folder / name: text for name, text in docs_reference.pages().items()}
    for path in (folder / docs_reference.FOLDER).rglob("*.md"):
        if path not in wanted:
            path.unlink()
    for path, text in wanted.items():
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")


class Page(HTMLParser):
    """What a page of the site loads, where its links lead, and which anchors it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self._in_style = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: "list[tuple[str, Optional[str]]]") -> None:
        """Take note of a tag."""
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
        """Leave a style."""
        self._in_style = False

    def handle_data(self, data: str) -> None:
        """Look into a style."""
        if self._in_style:
            self.loads += addresses_of_css(data)


def addresses_of_css(text: str) -> list[str]:
    """Return what a style sheet loads by `url(...)` or `@import`."""
    import re

    found = re.findall(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""", text)
    return [one or other for one, other in found]


def is_outside(address: str) -> bool:
    """Whether an address is one of another host."""
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in ("http", "https", "ws", "wss")


def faults(site: Path) -> Iterator[str]:
    """Give a line for each thing that a page loads from elsewhere, and for each broken link."""
    pages = {path: Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        yield from (f"{name} loads {each}" for each in page.loads if is_outside(each))
        # Of the page of errors the links are absolute, as it stands for any page.
        if name != "404.html":
            yield from (f"{name} links to {each}" for each in page.links if broken(each, path, pages))
    for path in sorted(site.rglob("*.css")):
        for each in addresses_of_css(path.read_text("utf-8")):
            if is_outside(each):
                yield f"{path.relative_to(site).as_posix()} loads {each}"


def broken(link: str, path: Path, pages: dict[Path, Page]) -> bool:
    """Whether a link of a page leads to a page, a file or an anchor that is not there."""
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
    """Build the site and look at it; return the exit status."""
    write_reference()
    shutil.rmtree(SITE, ignore_errors=True)
    done = subprocess.run([sys.executable, "-m", *BUILDERS[builder]], cwd=ROOT, check=False)
    if done.returncode:
        return done.returncode
    found = list(faults(SITE))
    print(*found, sep="\n")
    return 1 if found else 0


def main(arguments: list[str]) -> int:
    """Build or serve; return the exit status."""
    parser = argparse.ArgumentParser("tools/docs.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", nargs="?", choices=("build", "serve"), default="build")
    parser.add_argument("--with", dest="builder", choices=tuple(BUILDERS), default="zensical")
    chosen = parser.parse_args(arguments)
    if chosen.what == "build":
        return build(chosen.builder)
    write_reference()
    return subprocess.run([sys.executable, "-m", "zensical", "serve"], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
