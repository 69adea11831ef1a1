"""Finds answers that give away who wrote them: a blind vote on such an answer is kept, but not counted.

Pure text work: no model, no database, no clock. Two kinds of names are told apart. A *clear* name (ChatGPT,
OpenAI, GPT-4, SmolLM2-135M) gives the system away wherever it stands. An *ordinary* word (Claude, llama,
Gemini, Meta, Apple) does so only where the answer speaks about itself ("I am Claude", "trained by Meta").
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice
from typing import Final

# Well-known systems and makers, as they are usually written. Case and separators do not matter: "GPT-4" also
# finds gpt4, GPT 4 and gpt_4; a number at the end also finds what belongs to it (GPT-4.1, GPT-4o).
_CLEAR_TEXT: Final = """
ChatGPT, GPT-2, GPT-3, GPT-4, GPT-5, GPT-OSS, GPT-J, GPT-Neo, GPT-NeoX, InstructGPT, text-davinci-003
text-davinci-002, o1-preview, o1-mini, o3-mini, o4-mini, OpenAI, Bing Chat, GitHub Copilot, Microsoft Copilot
Claude 1, Claude 2, Claude 3, Claude 4, Claude v1, Claude v2, Claude Instant, Claude Opus, Claude Sonnet
Claude Haiku, Claude AI, Anthropic
Gemini Pro, Gemini Ultra, Gemini Nano, Gemini Flash, Gemini Advanced, Google Gemini, Google Bard, Gemma 2, Gemma 3
Google DeepMind, DeepMind
Llama 2, Llama 3, Llama 4, Code Llama, Meta-Llama, TinyLlama, Meta AI
Qwen, QwQ-32B, Tongyi Qianwen, 通义千问, 通義千問, DeepSeek, 深度求索, 文心一言, 智谱清言, 讯飞星火, 月之暗面
ERNIE Bot, ChatGLM, GLM-4, Zhipu AI, Baichuan 2, InternLM, Hunyuan, Moonshot AI, Kimi K2, Yi-34B, 01.AI
Mistral AI, Mistral 7B, Mistral Large, Mistral Medium, Mistral Small, Mixtral, Codestral
SmolLM, SmolLM2, SmolLM3, Hugging Face, StarCoder, BigScience, EleutherAI
Vicuna 7B, Vicuna 13B, Vicuna 33B, Alpaca 7B, Alpaca 13B, Koala 13B, Dolly v2, Guanaco 33B, WizardLM, StableLM
Stability AI, OpenAssistant, OASST, RWKV, MosaicML, MPT-7B, MPT-30B, FastChat, LMSYS, OpenHermes, Nous Hermes
Nous Research, Falcon 7B, Falcon 40B, Falcon 180B, Phi-3 Mini, Nemotron, watsonx, Grok 1, Grok 2, Grok 3, Grok 4
Command R+, OLMo 2, AllenAI, EXAONE, Character.AI, Jurassic-2, AI21
"""
_ORDINARY_TEXT: Final = """
GPT, Davinci, Open AI, Copilot, Bing, Microsoft, Claude, Gemini, Bard, Gemma, PaLM, LaMDA, Google, Alphabet
Llama, Meta, Facebook, Deep Mind, Deep Seek, Alibaba, Alibaba Cloud, Aliyun, 阿里云, 阿里巴巴, 千问, 百度, Baidu
腾讯, Tencent, 字节跳动, ByteDance, 豆包, Doubao, ERNIE, Kimi, 智谱, GLM, MiniMax, Mistral, Vicuna, Guanaco, Phi
Nvidia, Apple, Amazon, Grok, xAI, Cohere, Command R, OLMo, Tulu, Allen Institute, AI2, Granite, IBM, Pythia
Open Assistant, Perplexity, Replika, Inflection, Databricks, Snowflake, Salesforce, Samsung, Huawei, PanGu, Yandex
GigaChat, Together AI, Jamba, Cortana, Siri, Alexa
"""
# Written like this, and only like this, these are no ordinary words.
_EXACT: Final = {"LLaMA": re.compile(r"\bL[Ll]a[Mm]A\b"), "PaLM": re.compile(r"\bPaLM\b")}
# Clear names that are also the beginning of an ordinary phrase.
_NOT_FOLLOWED: Final = {
    "Anthropic": r"(?!\W{1,3}(?:principle|reasoning|argument|bias|selection|coincidence|landscape|unit)s?\b)",
}
# A number behind these, after a blank, may count something else: the rocket Falcon 9, "Tom 3, Gemma 2".
_NUMBERED_THINGS: Final = frozenset(
    ("apollo", "atlas", "bloom", "command", "echo", "falcon", "gemini", "gemma", "granite", "nova", "orion")
    + ("phi", "pioneer", "sirius", "solar", "titan", "zephyr")  # noqa: RUF005
)
_GENERIC_TEXT: Final = """
a ai an and api assistant awq b base beta bit bot careful chat chatbot cloud default demo dpo fake fast few for
free ggml gguf gptq greedy hf high inc instruct instruction it large latest lite low max mini model models new no
of one open plus preview pro prompted quantized rl second seed sft shot small std system temp temperature test
text the think thinking third tiny tuned turbo two version with x xl xs zero
"""
_GENERIC: Final = frozenset(_GENERIC_TEXT.split())
_MODEL_SUFFIXES: Final = frozenset({"lm", "gpt", "llm", "vl"})

_HIDDEN: Final = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
# Letters of other alphabets that look like Latin ones, after case folding; and one sort of dash and apostrophe.
_LOOKALIKES: Final = str.maketrans(
    "аеорсухіјѕԛԁһԝӏ" + "αοερνικτυ" + "ɡıǀ" + "‐‑‒–—−" + "’‘",
    "aeopcyxijsqdhwl" + "aoepviktu" + "gil" + "------" + "''",
)
_SEPARATOR: Final = r"[\s\-_.·]{0,3}"
_SIZE: Final = r"\d+(?:\.\d+)?\s?[bmk]\b"
# Not \b: in Chinese a letter of another script stands right beside a name.
_START: Final = r"(?<![a-z0-9ß-ɏ])"
_END: Final = r"(?![a-z0-9ß-ɏ])"


@dataclass(frozen=True, slots=True)
class IdentityWord:
    """One name: how it is shown, a piece no mention can do without, and its pattern; both on folded text."""

    label: str
    anchor: str
    pattern: str

    def mentions(self, folded: str) -> Iterator[re.Match[str]]:
        # An answer that repeats one word ten thousand times is not read ten thousand times.
        found = _compiled(self.pattern).finditer(folded) if self.anchor in folded else iter(())
        return islice(found, 200)

    def is_in(self, folded: str) -> bool:
        return next(self.mentions(folded), None) is not None


@dataclass(frozen=True, slots=True)
class IdentityWords:
    """What gives a system of one arena away. Built by `identity_words`."""

    clear: tuple[IdentityWord, ...]
    ordinary: tuple[IdentityWord, ...]


def identity_words(names: Iterable[str], makers: Iterable[str]) -> IdentityWords:
    """The built-in names together with those of an arena's systems and of the organisations behind them.

    `names` may be display names, API names or paths ("SmolLM2-135M-Instruct", "anthropic/claude-2"); families
    ("SmolLM2", "SmolLM") are derived from them. The same names give the same cached value.
    """
    return _identity_words(frozenset(names), frozenset(makers))


def find_leak(text: str, words: IdentityWords, *, prompt: str = "") -> str | None:
    """The first name in `text` that gives a system or its maker away, as it is usually written; None if none.

    A name that the prompt already contains is no news and does not count, unless the answer takes it for its
    own. A denial ("I am not ChatGPT") counts like any other mention.
    """
    folded, asked = _folded(text), _folded(prompt)
    found: list[tuple[int, str]] = []
    for word in words.clear:
        in_prompt = word.is_in(asked)
        for mention in word.mentions(folded):
            if not in_prompt or _speaks_of_itself(folded, mention):
                found.append((mention.start(), word.label))
                break
    for label, exact in _EXACT.items():
        written = exact.search(text)
        if written and not exact.search(prompt):
            found.append((written.start(), label))
    asks_who = _ASKS_WHO.search(asked) is not None
    if _SELF.search(folded):
        for word in words.ordinary:
            # The prompt asked for a story told by a llama: "I am Llama" alone proves nothing.
            in_prompt = word.is_in(asked) and not asks_who
            for mention in word.mentions(folded):
                if _speaks_of_itself(folded, mention, only_as_ai=in_prompt):
                    found.append((mention.start(), word.label))
                    break
    if found:
        return min(found)[1]
    return _confirmed(folded, asked, words) if asks_who else None


# From names to patterns.


@lru_cache(maxsize=64)
def _identity_words(names: frozenset[str], makers: frozenset[str]) -> IdentityWords:
    clear: dict[str, IdentityWord] = {}
    ordinary: dict[str, IdentityWord] = {}
    for kind, listed in ((clear, _CLEAR_TEXT), (ordinary, _ORDINARY_TEXT)):
        for name in re.split(r",\s|\n", listed.strip()):
            # "OpenAI" may be split by a hyphen, not by a blank: "open AI research" names nobody.
            word = _word(name.split(" "), label=name)
            kind[word.pattern] = word
    for name in sorted(names):
        for part in name.split("/"):
            for pieces, label in _parts_of_name(part):
                kind = clear if _is_clear(label, pieces) else ordinary
                word = _word(pieces, label=label)
                kind.setdefault(word.pattern, word)
    for maker in sorted(makers):
        label = unicodedata.normalize("NFKC", maker).strip()
        pieces = _pieces(label)
        if any(map(_is_telling, pieces)):
            kind = clear if _is_camel(label) or pieces[-1].casefold() in {"ai", "labs"} else ordinary
            word = _word(pieces, label=label)
            kind.setdefault(word.pattern, word)
    return IdentityWords(clear=tuple(clear.values()), ordinary=tuple(ordinary.values()))


def _parts_of_name(name: str) -> Iterator[tuple[list[str], str]]:
    """SmolLM2-135M-Instruct -> the whole, its family with the version (SmolLM2), and without (SmolLM)."""
    name = re.sub(r"[(\[{].*", "", unicodedata.normalize("NFKC", name)).strip()
    pieces = _pieces(name)
    family: list[str] = []
    for piece in pieces:
        if family and (piece.casefold() in _GENERIC or re.fullmatch(_SIZE, piece.casefold())):
            break
        family.append(piece)
    bare = [piece for piece in family if not piece[0].isdigit()]
    for part in (pieces, family, bare):
        if any(map(_is_telling, part)):
            yield part, _as_written(name, part)


def _pieces(name: str) -> list[str]:
    """SmolLM2-135M -> Smol, LM, 2, 135M. LLaMA stays whole: single letters would say nothing."""
    pieces: list[str] = []
    for chunk in re.findall(r"[^\W_]+(?:\.\d+[^\W_]*)*", name):
        for part in re.findall(r"\d+(?:\.\d+)*[bBmMkK]?(?![^\W\d_])|\d+(?:\.\d+)*|[^\W\d_]+", chunk):
            split = re.findall(r"[A-Z]*[^\WA-Z\d_]+|[A-Z]+", part)
            pieces += split if split and min(map(len, split)) > 1 else [part]
    return pieces


def _is_telling(piece: str) -> bool:
    return len(piece) > 1 and not piece[0].isdigit() and piece.casefold() not in _GENERIC


def _is_camel(name: str) -> bool:
    return re.search(r"[a-z][A-Z]", name) is not None


def _is_clear(label: str, pieces: list[str]) -> bool:
    """Whether a name means a system wherever it stands: it is written as no ordinary words are."""
    letters = [piece.casefold() for piece in pieces if not piece[0].isdigit()]
    if sum(map(len, letters)) < 3:
        return False
    return _is_camel(label) or letters[-1] in _MODEL_SUFFIXES or len(letters) < len(pieces)


def _as_written(name: str, pieces: list[str]) -> str:
    """The stretch of the name from its first piece to its last."""
    start = end = name.find(pieces[0])
    for piece in pieces:
        end = name.find(piece, end) + len(piece)
    return name[start:end]


def _word(pieces: list[str], *, label: str) -> IdentityWord:
    folded = [_folded(piece) for written in pieces for piece in _pieces_of_word(written)]
    *first, last = map(re.escape, folded)
    is_number = folded[-1][-1].isdigit()
    pattern = _SEPARATOR.join((*first, last))
    if len(folded) == 2 and is_number and folded[0] in _NUMBERED_THINGS:
        pattern = rf"{first[0]}(?:[-_.·]?{last}|\s{{1,3}}{last}(?=[\s-]{{1,2}}(?:{_SIZE}|it\b|instruct|model)))"
    if len(folded) == 2 and folded == _folded_camel(label):
        pattern = rf"{first[0]}[-_]?{last}"
    # GPT-4: also GPT-4.1, GPT-4o and gpt4all, but not GPT-45.
    end = r"(?:\.\d+)?(?:[a-z]\w{0,8})?(?!\d)" if is_number else _END
    return IdentityWord(
        label=label,
        anchor=max(folded, key=len),
        pattern=_START + pattern + end + _NOT_FOLLOWED.get(label, ""),
    )
