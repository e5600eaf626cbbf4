"""Links in the documents lead to files and headings that exist. The tests ask no other machine."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.conftest import ROOT

# Folders whose name begins with a dot are made by tools, except these two.
HIDDEN = {".ci", ".github"}
FOLDERS = sorted(
    path
    for path in ROOT.iterdir()
    if path.is_dir() and (path.name in HIDDEN or not path.name.startswith("."))
)
PATHS = sorted(
    [*ROOT.glob("*.md"), *(path for it in FOLDERS for path in it.rglob("*.md"))]
)
DOCUMENTS = [str(path.relative_to(ROOT)) for path in PATHS]
# A path in backticks, such as `local/server.py`; the layer's package goes by its own name.
CODE_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)+/?")
PACKAGES = {"digits": ROOT / "layers" / "shared" / "digits"}
# What GitHub leaves out of a heading's anchor.
NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")

parser = MarkdownIt("commonmark").enable("table")


def inline_tokens(document: str) -> Iterator[Token]:
    for block in parser.parse((ROOT / document).read_text()):
        yield from block.children or []


def links(document: str) -> list[str]:
    targets = []
    for token in inline_tokens(document):
        target = token.attrGet("href" if token.type == "link_open" else "src")
        if target is not None:
            targets.append(str(target))
    return targets


def anchors(document: str) -> set[str]:
    """The anchors that GitHub gives to a document's headings."""
    blocks = parser.parse((ROOT / document).read_text())
    counts: Counter[str] = Counter()
    names = set()
    for block, text in itertools.pairwise(blocks):
        if block.type != "heading_open":
            continue
        plain = "".join(token.content for token in text.children or [])
        name = NOT_IN_ANCHORS.sub("", plain.lower()).replace(" ", "-")
        names.add(f"{name}-{counts[name]}" if counts[name] else name)
        counts[name] += 1
    return names


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_link_leads_to_a_file_or_a_heading(document: str) -> None:
    for link in links(document):
        url = urlsplit(link)
        if url.scheme:
            continue
        path = (
            (ROOT / document).parent / unquote(url.path)
            if url.path
            else ROOT / document
        )
        assert path.exists(), link
        target = path.resolve().relative_to(ROOT)
        if url.fragment:
            assert url.fragment in anchors(str(target)), link


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_link_to_another_site_is_a_whole_url(document: str) -> None:
    for link in links(document):
        url = urlsplit(link)
        if url.scheme == "http":
            # Only the service on the reader's own machine goes without TLS.
            assert url.hostname in {"127.0.0.1", "localhost"}, link
        elif url.scheme:
            assert url.scheme == "https", link
            assert url.hostname, link


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_path_in_backticks_exists(document: str) -> None:
    for token in inline_tokens(document):
        if token.type != "code_inline" or not CODE_PATH.fullmatch(token.content):
            continue
        first, _, rest = token.content.partition("/")
        if first.startswith(".") and first not in HIDDEN | {".."}:
            continue
        above = ROOT if first != ".." else (ROOT / document).parent
        folder = PACKAGES.get(first, above / first)
        if folder.is_dir():
            assert (folder / rest).exists(), token.content


def test_each_document_can_be_reached_from_the_readme() -> None:
    reached = {"README.md"}
    waiting = ["README.md"]
    while waiting:
        document = waiting.pop()
        for link in links(document):
            path = Path((ROOT / document).parent / urlsplit(link).path).resolve()
            if path.suffix != ".md" or not path.is_relative_to(ROOT):
                continue
            name = str(path.relative_to(ROOT))
            if name not in reached:
                reached.add(name)
                waiting.append(name)
    pages = {document for document in DOCUMENTS if document.startswith("docs/")}
    assert pages <= reached
