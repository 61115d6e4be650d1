"""Decides whether the documentation is whole: every link leads somewhere, every named file exists, no page is lost.

It also writes the pages that are made from code, listed in `GENERATED`; with `--check` it only compares them.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from benchmarks import page as benchmarks_page
from docs import command_line, settings_page

ROOT: Final = Path(__file__).resolve().parent.parent


GENERATED: Final[tuple[Callable[[], Mapping[str, str]], ...]] = (
    lambda: {"reference/command-line.md": command_line.page()},
    lambda: {"reference/settings.md": settings_page.page()},
    benchmarks_page.files,
)
"""Each makes one page or more out of the code: file below `docs/` to what is in it."""

LINK: Final = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|^\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
HEADING: Final = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
FENCE: Final = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
SPAN: Final = re.compile(r"`([^`\n]+)`")
FILE: Final = re.compile(r"(?:src|tests|docs|scripts|examples|requirements|benchmarks|\.ci)/[\w./-]+")
"""A code span of this form names a file or folder of the repository; `<name>` and `*` make it a pattern."""


def pages() -> Iterator[Path]:
    """All pages, those at the root first."""
    yield from sorted(ROOT.glob("*.md"))
    for folder in ("scripts", "docs", "examples", "benchmarks"):
        yield from sorted((ROOT / folder).rglob("*.md"))


def anchors(page: Path) -> set[str]:
    """The fragments that the headings of `page` can be linked by, as the usual renderers form them."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", page.read_text("utf-8"))):
        words = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).strip().replace(" ", "-")
        count = 0
        while (anchor := f"{words}-{count}" if count else words) in found:
            count += 1
        found.add(anchor)
    return found


def targets(text: str) -> Iterator[str]:
    """Where the links of `text` lead within the repository."""
    for match in LINK.finditer(SPAN.sub("", text)):
        target = match[1] or match[2]
        if not re.match(r"[a-z][a-z0-9+.-]*:", target):
            yield target


def complaints(page: Path) -> Iterator[str]:
    """What is wrong with the links and the named files of one page."""
    text = FENCE.sub("", page.read_text("utf-8"))
    for target in targets(text):
        path, _, fragment = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.is_relative_to(ROOT) or not file.exists():
            yield f"the link {target} leads nowhere"
        elif fragment and file.suffix == ".md" and fragment not in anchors(file):
            yield f"the link {target} names a heading that is not there"
    for span in SPAN.findall(text):
        if FILE.fullmatch(span) and not (ROOT / span).exists():
            yield f"`{span}` is not in the repository"


def lost() -> Iterator[Path]:
    """Pages below `docs/` that no other page links to."""
    linked = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in pages()
        for target in targets(FENCE.sub("", page.read_text("utf-8")))
        if not target.startswith("#")
    }
    index = ROOT / "docs" / "README.md"
    yield from (page for page in sorted((ROOT / "docs").rglob("*.md")) if page not in linked | {index})


def main(arguments: list[str]) -> int:
    """Write or compare the generated pages, then check all of them; 1 if anything is wrong."""
    problems: list[str] = []
    generated = {name: made for make in GENERATED for name, made in make().items()}
    for name, made in generated.items():
        page = ROOT / "docs" / name
        if page.exists() and page.read_text("utf-8") == made:
            continue
        if "--check" in arguments:
            problems.append(f"docs/{name}: not what the code says any more; run scripts/docs")
        else:
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(made, "utf-8")
            print(f"wrote docs/{name}")
    problems += [
        f"docs/pictures/{stale.name}: no result is drawn there any more; remove it"
        for stale in sorted((ROOT / "docs" / "pictures").glob("*.svg"))
        if f"pictures/{stale.name}" not in generated
    ]
    for page in pages():
        problems += [f"{page.relative_to(ROOT)}: {complaint}" for complaint in complaints(page)]
    problems += [
        f"{page.relative_to(ROOT)}: no page links to it; list it in docs/README.md" for page in lost()
    ]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
