"""The one sanitiser: turns text written by a model or a stranger into harmless HTML.

Two walls stand one behind the other: the Markdown parser knows no HTML, and what it makes goes through an
allow-list. Nothing else in the project may call untrusted text safe.
"""

import html
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES

# Beyond these, text is shown unformatted: each keeps the worst known input of its kind below a second.
_MARKDOWN_CHARS: Final = 40_000
_MARKDOWN_LINES: Final = 4_000
_TABLE_CELLS: Final = 20_000  # most pipes on one line x lines: short rows are filled up with empty cells
_DEPTH: Final = 24  # open elements; the parser silently drops what lies deeper
_SHOWN_CHARS: Final = 500_000

# Lexers are regular expressions, many of them quadratic and worse in the length of a line or in the number of
# lines, so they see only code of a size that people read. The rest of an answer's code stays plain.
_CODE_CHARS: Final = 6_000
_CODE_LINES: Final = 250
_CODE_LINE_CHARS: Final = 200
_CODE_CHARS_PER_ANSWER: Final = 8_000

# No lexer outside this list runs: some of the several hundred have regular expressions that explode, and some
# start other lexers by a name they read in the text.
_LANGUAGES: Final = {
    alias: name
    for name, aliases in {
        "bash": "sh shell zsh",
        "c": "h",
        "cpp": "c++ cc hpp",
        "csharp": "c# cs",
        "css": "",
        "diff": "patch udiff",
        "docker": "dockerfile",
        "go": "golang",
        "haskell": "hs",
        "html": "",
        "ini": "cfg",
        "java": "",
        "javascript": "js jsx mjs node",
        "json": "jsonl",
        "julia": "jl",
        "kotlin": "kt",
        "lua": "",
        "make": "makefile",
        "perl": "pl",
        "php": "",
        "powershell": "ps1 pwsh",
        "python": "py python3 py3",
        "pycon": "",
        "r": "",
        "ruby": "rb",
        "rust": "rs",
        "scala": "",
        "scss": "",
        "sql": "mysql postgresql sqlite",
        "swift": "",
        "tex": "latex",
        "toml": "",
        "typescript": "ts tsx",
        "xml": "svg",
        "yaml": "yml",
    }.items()
    for alias in (name, *aliases.split())
}

# fmt: off
_TAGS: Final = frozenset({
    "a", "blockquote", "br", "code", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s",
    "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
})
# fmt: on
_CLEANER: Final = nh3.Cleaner(
    tags=set(_TAGS),
    clean_content_tags={"script", "style"},
    attributes={
        "*": set(),
        "a": {"href"},
        "ol": {"start"},
    },  # without "*", lang and title would be let through
    # A pre that scrolls sideways has to be reachable by keyboard; `align` is alignment without inline style.
    tag_attribute_values={
        "pre": {"tabindex": {"0"}},
        "td": {"align": {"left", "center", "right"}},
        "th": {"align": {"left", "center", "right"}},
    },
    allowed_classes={"pre": {"highlight"}, "span": {name for name in STANDARD_TYPES.values() if name}},
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
    link_rel="nofollow noopener noreferrer",
    strip_comments=True,
)

# Control characters, and the direction overrides and isolates that make text read as what it is not. A line
# or paragraph separator becomes a line break.
_NEUTRAL: Final[dict[int, str | None]] = {
    **dict.fromkeys((*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0x7F, 0xA0))),
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF)),
    **dict.fromkeys((0x2028, 0x2029), "\n"),
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
}
_LINK: Final = re.compile(r"(?:https?://[^\s/?#]|mailto:[^\s@]+@)", re.IGNORECASE)
_MATH: Final = {r"\(": r"\)", r"\[": r"\]", "$$": "$$", "$": "$"}
_MATH_CHARS: Final = 1_000
_SPACE: Final = re.compile(r"\s+")


def render_untrusted(text: str) -> SafeString:
    """Markdown (CommonMark, tables, strikethrough) as HTML that can be put on a page of ours.

    Headings become h3 to h6 without a gap, images their alternative text, line breaks stay, mathematics stays
    as written. What is too long or too deeply nested for Markdown is shown as it is, in a `pre`.
    """
    text = _neutral(text)
    tokens = _parse(text)
    # Entities and percent escapes are decoded by the parser, so neutral input does not make neutral output.
    rendered = _as_written(text) if tokens is None else _neutral(_render(tokens))
    # This module is the sanitiser, and what is marked safe is its allow-listed output.
    return mark_safe(_CLEANER.clean(rendered).strip())  # noqa: S308


def plain_excerpt(text: str, length: int) -> str:
    """The first words of a Markdown text without its marks, at most `length` characters.

    For lists and titles. The result is plain text: a template escapes it.
    """
    text = _neutral(text[: 10 * length + 1_000])
    tokens = _parse(text)
    plain = text if tokens is None else " ".join(_plain(tokens))
    plain = _SPACE.sub(" ", _neutral(plain)).strip()
    if len(plain) <= length:
        return plain
    cut = plain[: max(length - 1, 0)]
    at_word = cut.rfind(" ")
    if at_word > length // 2:
        cut = cut[:at_word]
    return (cut.rstrip(" ,;:.-") + "…")[:length]


def _neutral(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_NEUTRAL)


def _as_written(text: str) -> str:
    rest = len(text) - _SHOWN_CHARS
    if rest > 0:
        text = f"{text[:_SHOWN_CHARS]}\n\n… ({rest} more characters)"
    return _code(text, language=None, env={})


def _parse(text: str) -> list[Token] | None:
    """None where Markdown would cost too much or lose text."""
    lines = text.count("\n") + 1
    if len(text) > _MARKDOWN_CHARS or lines > _MARKDOWN_LINES:
        return None
    if max(line.count("|") for line in text.split("\n")) * lines > _TABLE_CELLS:
        return None
    tokens = _parser().parse(text)
    if _depth(tokens) >= _DEPTH - 1:
        return None
    _tidy_headings(tokens)
    _tidy_cells_and_links(tokens)
    return tokens


def _render(tokens: Sequence[Token]) -> str:
    parser = _parser()
    return str(parser.renderer.render(tokens, parser.options, {"code_chars_left": _CODE_CHARS_PER_ANSWER}))


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt(
        "commonmark",
        {"html": False, "linkify": False, "breaks": True, "maxNesting": _DEPTH},
        renderer_cls=_Renderer,
    )
    parser.enable(["table", "strikethrough"])
    parser.disable(["html_block", "html_inline"])
    parser.inline.ruler.before("escape", "math", _math)
    parser.validateLink = _is_link  # type: ignore[method-assign]
    return parser


def _is_link(url: str) -> bool:
    return _LINK.match(url) is not None


def _math(state: StateInline, silent: bool) -> bool:
    """Keeps mathematics as it was written, so that `_`, `*` and `\\(` in it are not read as Markdown."""
    source, start = state.src, state.pos
    if source[start] not in "\\$":
        return False
    opener = source[start : start + 2] if source[start : start + 2] in _MATH else source[start]
    if opener not in _MATH:
        return False
    inside = start + len(opener)
    end = source.find(_MATH[opener], inside, min(state.posMax, inside + _MATH_CHARS))
    after = end + len(opener)
    if end <= inside or after > state.posMax:
        return False
    if opener == "$":  # not the price list "$5 or $10"
        inner = source[inside:end]
        if inner[0].isspace() or inner[-1].isspace() or "\n" in inner or source[after : after + 1].isalnum():
            return False
    if not silent:
        token = state.push("text", "", 0)
        token.content = source[start:after]
    state.pos = after
    return True


class _Renderer(RendererHTML):
    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        alt = self.renderInlineAsText(token.children, options, env) if token.children else ""
        return html.escape(alt or str(token.attrs["src"]))

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        return _code(token.content, language=_language(token), env=env)

    def code_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return _code(tokens[idx].content, language=None, env=env)


def _language(fence: Token) -> str | None:
    words = fence.info.split()
    return _LANGUAGES.get(words[0].lower().strip("{}.")) if words else None


def _code(code: str, *, language: str | None, env: EnvType) -> str:
    if language and len(code) <= env["code_chars_left"] and _is_readable(code):
        env["code_chars_left"] -= len(code)
        inner = _highlighted(code, language)
    else:
        inner = html.escape(code)
    # A browser drops a line break right after <pre>; <code> stands in between.
    return f'<pre class="highlight" tabindex="0"><code>{inner}</code></pre>\n'


def _is_readable(code: str) -> bool:
    lines = code.splitlines()
    return (
        len(code) <= _CODE_CHARS
        and len(lines) <= _CODE_LINES
        and max(map(len, lines), default=0) <= _CODE_LINE_CHARS
    )


@cache
def _lexer(language: str) -> Lexer:
    return get_lexer_by_name(language, stripnl=False, ensurenl=False)


def _highlighted(code: str, language: str) -> str:
    return str(highlight(code, _lexer(language), HtmlFormatter(nowrap=True)))


def _depth(tokens: Sequence[Token]) -> int:
    deepest = depth = 0
    for token in tokens:
        depth += token.nesting
        deepest = max(deepest, depth, depth + _depth(token.children) if token.children else 0)
    return deepest


def _tidy_headings(tokens: list[Token]) -> None:
    """Puts the answer's own outline below the page's: h3 first, no level left out, no empty heading."""
    outline: list[int] = []
    kept: list[Token] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.type == "heading_open":
            content, end = tokens[at + 1], tokens[at + 2]
            at += 3
            if not content.content.strip():
                continue
            level = int(token.tag[1])
            while outline and outline[-1] >= level:
                outline.pop()
            outline.append(level)
            token.tag = end.tag = f"h{min(2 + len(outline), 6)}"
            kept += [token, content, end]
            continue
        kept.append(token)
        at += 1
    tokens[:] = kept


def _tidy_cells_and_links(tokens: list[Token]) -> None:
    """Alignment without inline style, no empty header cell, no link that says nothing."""
    for at, token in enumerate(tokens):
        if token.type in ("th_open", "td_open"):
            style = str(token.attrs.pop("style", ""))
            if style:
                token.attrs["align"] = style.removeprefix("text-align:")
            if token.type == "th_open" and not tokens[at + 1].content.strip():
                token.tag = tokens[at + 2].tag = "td"
        if token.children:
            token.children = list(_links_with_text(token.children))


def _links_with_text(children: Sequence[Token]) -> Iterator[Token]:
    for at, token in enumerate(children):
        yield token
        if token.type == "link_open" and children[at + 1].type == "link_close":
            yield Token("text", "", 0, content=str(token.attrs["href"]))


def _plain(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type == "inline":
            yield "".join(_plain(token.children or ()))
        elif token.type in ("softbreak", "hardbreak"):
            yield " "
        elif token.children:
            yield from _plain(token.children)
        else:
            yield token.content
