"""A page of HTML as a parser reads it, and as a browser does."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest

needs_browser = pytest.mark.skipif(
    shutil.which("chromium") is None, reason="needs chromium (Debian: apt-get install chromium)"
)
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --enable-logging=stderr --dump-dom --virtual-time-budget=2000"
)


class Page(HTMLParser):
    """Collects the elements, their attributes and the text between them."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).replace("\u202f", " ").split())


#: Chromium asks its maker for the time and for updates, whatever page is open.
_OF_THE_BROWSER = re.compile(r"https?://[\w-]+\.(google|googleapis|gvt1)\.com/")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a browser made of a page.

    Attributes:
        html: The page after everything in it had its chance to act.
        log: What the browser complained of.
        requests: Addresses on the network that the page asked for.
    """

    html: str
    log: str
    requests: list[str]


def browse(page: Path, folder: Path) -> Shown:
    """Open a page in headless Chromium.

    Args:
        page: The page.
        folder: Where the browser may write.

    Returns:
        What came of it.
    """
    log = folder / "net.json"
    places = [f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", page.resolve().as_uri()]
    command = ["chromium", *_FLAGS.split(), *places]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    urls = re.findall(r'"url":"([^"]+)"', log.read_text())
    requests = [url for url in urls if url.startswith("http") and not _OF_THE_BROWSER.match(url)]
    return Shown(html=done.stdout, log=done.stderr, requests=requests)
