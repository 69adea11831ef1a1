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
from itertools import islice, takewhile
from typing import Final, NamedTuple

# Well-known systems and makers, as they are usually written. Case and separators do not matter: "GPT-4" also
# finds gpt4, GPT 4 and gpt_4; a number at the end also finds what belongs to it (GPT-4.1, GPT-4o).
_CLEAR_TEXT: Final = """
ChatGPT, GPT-2, GPT-3, GPT-4, GPT-5, GPT-OSS, GPT-J, GPT-Neo, GPT-NeoX, InstructGPT, text-davinci-003
text-davinci-002, o1-preview, o1-mini, o3-mini, o4-mini, OpenAI, Bing Chat, GitHub Copilot, Microsoft Copilot
Claude 1, Claude 2, Claude 3, Claude 4, Claude v1, Claude v2, Claude Instant, Claude Opus, Claude Sonnet
Claude Haiku, Claude AI, Anthropic
Gemini Pro, Gemini Ultra, Gemini Nano, Gemini Flash, Gemini Advanced, Google Gemini, Google Bard
Gemma 2, Gemma 3, Google DeepMind, DeepMind
Llama 2, Llama 3, Llama 4, Code Llama, Meta-Llama, TinyLlama, Meta AI
Qwen, QwQ-32B, Tongyi Qianwen, 通义千问, 通義千問, DeepSeek, 深度求索, 文心一言, 智谱清言
讯飞星火, 月之暗面, ERNIE Bot, ChatGLM, GLM-4, Zhipu AI, Baichuan 2, InternLM, Hunyuan
Moonshot AI, Kimi K2, Yi-34B, Mistral AI, Mistral 7B, Mistral Large, Mistral Medium, Mistral Small, Mixtral
Codestral, SmolLM, SmolLM2, SmolLM3, Hugging Face, StarCoder, BigScience, EleutherAI
Vicuna 7B, Vicuna 13B, Vicuna 33B, Alpaca 7B, Alpaca 13B, Koala 13B, Dolly v2, Guanaco 33B, WizardLM
StableLM, Stability AI, OpenAssistant, OASST, RWKV, MosaicML, MPT-7B, MPT-30B, FastChat, LMSYS
OpenHermes, Nous Hermes, Nous Research, Falcon 7B, Falcon 40B, Falcon 180B, Phi-3 Mini, Nemotron, watsonx
Grok 1, Grok 2, Grok 3, Grok 4, OLMo 2, AllenAI, EXAONE, Jurassic-2
"""
_ORDINARY_TEXT: Final = """
GPT, Davinci, Open AI, Copilot, Bing, Microsoft, Claude, Gemini, Bard, Gemma, PaLM, LaMDA, Google, Alphabet
Llama, Meta, Facebook, Deep Mind, Deep Seek, Alibaba, Alibaba Cloud, Aliyun, 阿里云, 阿里巴巴, 千问
百度, Baidu, 腾讯, Tencent, 字节跳动, ByteDance, 豆包, Doubao, ERNIE, Kimi, 智谱, GLM, MiniMax
Mistral, Vicuna, Guanaco, Phi, Nvidia, Apple, Amazon, Grok, xAI, Cohere, Command R, OLMo, Tulu, Granite, IBM
Allen Institute, Pythia, Open Assistant, Perplexity, Replika, Inflection, Databricks, Snowflake, Salesforce
Samsung, Huawei, PanGu, Yandex, GigaChat, Together AI, Jamba, Cortana, Siri, Alexa
"""
# Written like this, and only like this, these are no ordinary words.
_EXACT: Final = {"LLaMA": re.compile(r"\bL[Ll]a[Mm]A\b"), "PaLM": re.compile(r"\bPaLM\b")}
# Clear names that are also the beginning of an ordinary phrase.
_NOT_FOLLOWED: Final = {
    "Anthropic": r"(?!\W{1,3}(?:principle|reasoning|argument|bias|selection|coincidence|landscape|unit)s?\b)",
}
# A number behind these, after a blank, may mean something else: the rocket Falcon 9, "Tom 3, Gemma 2".
_NUMBERED_TEXT: Final = (
    "apollo atlas bloom command echo falcon gemini gemma granite nova orion phi solar titan"
)
_NUMBERED_THINGS: Final = frozenset(_NUMBERED_TEXT.split())
_GENERIC_TEXT: Final = """
a ai an and api assistant awq b base beta bit bot careful chat chatbot cloud default demo dpo fake fast few
for free ggml gguf gptq greedy hf high inc instruct instruction it large latest lite low max mini model models
new no of one open plus preview pro prompted quantized rl second seed sft shot small std system temp
temperature test text the think thinking third tiny tuned turbo two version with x xl xs zero
"""
_GENERIC: Final = frozenset(_GENERIC_TEXT.split())
_MODEL_SUFFIXES: Final = frozenset({"lm", "gpt", "llm", "vl"})

_HIDDEN: Final = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
# Letters of other alphabets that look like Latin ones, after case folding; one sort of dash and apostrophe.
_LOOKALIKES: Final = str.maketrans(
    "аеорсухіјѕԛԁһԝӏ" + "αοερνικτυ" + "ɡıǀ" + "‐‑‒–—−" + "’‘",
    "aeopcyxijsqdhwl" + "aoepviktu" + "gil" + "------" + "''",
)
_SEPARATOR: Final = r"[\s\-_.·]{0,3}"
_SIZE: Final = r"\d+(?:\.\d+)?\s?[bmk]\b"
_SIZE_ONLY: Final = re.compile(_SIZE, re.IGNORECASE)
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
        return islice(found, 100)

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
    found: list[tuple[int, int, str]] = []  # where, minus how long, label
    for word in words.clear:
        in_prompt = word.is_in(asked)
        for mention in word.mentions(folded):
            if not in_prompt or _speaks_of_itself(folded, mention):
                found.append((mention.start(), mention.start() - mention.end(), word.label))
                break
    for label, exact in _EXACT.items():
        written = exact.search(text)
        if written and not exact.search(prompt):
            found.append((written.start(), written.start() - written.end(), label))
    asks_who = _ASKS_WHO.search(asked) is not None
    for word in words.ordinary:
        # The prompt asked for a story told by a llama: "I am Llama" alone proves nothing.
        in_prompt = word.is_in(asked) and not asks_who
        for mention in word.mentions(folded):
            if _speaks_of_itself(folded, mention, only_as_ai=in_prompt):
                found.append((mention.start(), mention.start() - mention.end(), word.label))
                break
    if found:
        return min(found)[2]
    if not asks_who:
        return None
    return _confirmed(folded, asked, words) or _bare_name(folded, asked, words)


def _bare_name(folded: str, asked: str, words: IdentityWords) -> str | None:
    """A name in a short answer to "who are you?": all of it is about itself ("Gemma.", "Name: Gemma")."""
    bare = folded.strip(_DECORATION)
    if len(bare) > _BARE_CHARS:
        return None
    for word in (*words.clear, *words.ordinary):
        # A name that the prompt gave may be denied; it counts where nearly nothing else is said.
        if word.is_in(bare) and (len(bare) <= len(word.label) + _BARE_REST or not word.is_in(asked)):
            return word.label
    return None


_BARE_CHARS = 60
_BARE_REST = 8
_DECORATION = " \n\t*_`#>\"'.:!"

# From names to patterns.


class _Piece(NamedTuple):
    """A run of letters or digits of a name, and what may stand between it and the one before."""

    text: str
    joint: str

    @property
    def is_number(self) -> bool:
        return self.text[0].isdigit()

    @property
    def is_telling(self) -> bool:
        return len(self.text) > 1 and not self.is_number and _folded(self.text) not in _GENERIC


@lru_cache(maxsize=64)
def _identity_words(names: frozenset[str], makers: frozenset[str]) -> IdentityWords:
    clear = {word.pattern: word for word in map(_word, _listed(_CLEAR_TEXT))}
    ordinary = {word.pattern: word for word in map(_word, _listed(_ORDINARY_TEXT))}
    plain = {_joined(_pieces(name)) for name in _listed(_ORDINARY_TEXT)}
    parts = [part for name in sorted(names) for piece in name.split("/") for part in _parts_of_name(piece)]
    for label in parts:
        pieces = _pieces(label)
        kind = clear if _is_clear_name(label, pieces) and _joined(pieces) not in plain else ordinary
        kind.setdefault(_word(label).pattern, _word(label))
    for maker in sorted(makers):
        label = unicodedata.normalize("NFKC", maker).strip()
        pieces = _pieces(label)
        if any(piece.is_telling for piece in pieces) and _joined(pieces) not in plain:
            kind = clear if _is_camel(label) or _folded(pieces[-1].text) in {"ai", "labs"} else ordinary
            kind.setdefault(_word(label).pattern, _word(label))
    return IdentityWords(
        clear=tuple(clear.values()),
        ordinary=tuple(word for pattern, word in ordinary.items() if pattern not in clear),
    )


def _listed(text: str) -> list[str]:
    return re.split(r", |\n", text.strip())


def _parts_of_name(name: str) -> Iterator[str]:
    """SmolLM2-135M-Instruct: the whole, its family with the version (SmolLM2), and without (SmolLM)."""
    name = re.sub(r"[(\[{].*", "", unicodedata.normalize("NFKC", name)).strip()
    pieces = _pieces(name)
    family = list(
        takewhile(
            lambda piece: _folded(piece.text) not in _GENERIC and not _SIZE_ONLY.match(piece.text), pieces
        )
    )
    bare = list(takewhile(lambda piece: not piece.is_number, family))
    if len(bare) > 1 and len(bare[-1].text) == 1:  # the v of "Claude v2"
        bare.pop()
    for part in (pieces, family, bare):
        if any(piece.is_telling for piece in part):
            end = 0
            for piece in part:
                end = name.find(piece.text, end) + len(piece.text)
            yield name[:end]


def _pieces(name: str) -> list[_Piece]:
    """SmolLM2-135M: Smol, LM, 2, 135M. LLaMA and xAI stay whole: single letters would say nothing."""
    pieces: list[_Piece] = []
    for chunk in re.findall(r"[^\W_]+(?:\.\d+[^\W_]*)*", name):
        for run in re.findall(r"\d+(?:\.\d+)*[bBmMkK]?(?![^\W\d_])|\d+(?:\.\d+)*|[^\W\d_]+", chunk):
            pieces.append(_Piece(run, _SEPARATOR))
            camel = re.findall(r"[A-Z]*[^\WA-Z\d_]+|[A-Z]+", run)
            if len(camel) > 1 and min(map(len, camel)) > 1:
                # OpenAI may be parted by a hyphen, but "open AI research" names nobody.
                pieces[-1:] = [
                    _Piece(part, _SEPARATOR if at == 0 or part.casefold() in _MODEL_SUFFIXES else "[-_]?")
                    for at, part in enumerate(camel)
                ]
    return pieces


def _joined(pieces: Iterable[_Piece]) -> str:
    return "".join(_folded(piece.text) for piece in pieces)


def _is_camel(name: str) -> bool:
    return re.search(r"[a-z][A-Z]", name) is not None


def _is_clear_name(name: str, pieces: list[_Piece]) -> bool:
    """Whether a name means a system wherever it stands: it is written as no ordinary words are."""
    letters = [_folded(piece.text) for piece in pieces if not piece.is_number]
    if sum(map(len, letters)) < 3:
        return False
    has_suffix = len(letters) > 1 and letters[-1] in _MODEL_SUFFIXES
    return _is_camel(name) or has_suffix or len(letters) < len(pieces)


def _word(label: str) -> IdentityWord:
    pieces = _pieces(label)
    folded = [_folded(piece.text) for piece in pieces]
    if len(pieces) == 2 and pieces[1].text.isdigit() and folded[0] in _NUMBERED_THINGS:
        name, number = map(re.escape, folded)
        pattern = (
            rf"{name}(?:[-_.·]?{number}|\s{{1,3}}{number}(?=[\s-]{{1,2}}(?:{_SIZE}|it\b|instruct|model)))"
        )
    else:
        pattern = re.escape(folded[0]) + "".join(
            piece.joint + re.escape(text) for piece, text in zip(pieces[1:], folded[1:], strict=True)
        )
    # GPT-4: also GPT-4.1, GPT-4o and gpt4all, but not GPT-45.
    end = r"(?:\.\d+)?(?:[a-z]\w{0,8})?(?!\d)" if pieces[-1].text[-1].isdigit() else _END
    return IdentityWord(
        label=label,
        anchor=max(folded, key=len),
        pattern=_START + pattern + end + _NOT_FOLLOWED.get(label, ""),
    )


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", _HIDDEN.sub("", text)).casefold().translate(_LOOKALIKES)


# Where an answer speaks about itself. Every pattern runs on folded text; one line is about one language.


def _either(*patterns: str) -> str:
    return "(?:" + "|".join(patterns) + ")"


_I_AM: Final = _either(
    r"\bi ?'?a?m\b|\bi was\b|\bi(?:'ve| have) been\b|\bmy name(?: is|'s)\b|\bcall me\b",
    r"\bi go by(?: the name(?: of)?)?\b|\bi belong to\b|\bit's me\b|\bbehind me is\b",
    r"\byou(?:'re| are) (?:now )?(?:talking|speaking|chatting) (?:to|with)\b",
    r"\bich (?:bin|wurde|heisse)\b|\bbin ich\b|\bwurde ich\b|\bmein name ist\b",
    r"\bje (?:suis|m'appelle|me nomme)\b|\bj'ai été\b|\bmon nom est\b",
    r"\bsoy\b|\bme llamo\b|\bmi nombre es\b|\bhe sido\b|\bfui\b",
    r"\bsou\b|\bme chamo\b|\bchamo-me\b|\bmeu nome é\b",
    r"\bsono\b|\bmi chiamo\b|\bil mio nome è\b",
    r"我是|我叫|我由|我的名字[是叫]|本人是",
)
_AI: Final = _either(
    r"\ba\.?i\b|\bartificial intelligence\b|\b(?:language|chat) model|\bllms?\b|\bchat ?bot|\bassistant\b",
    r"\bki\b|\bsprachmodell|\bkünstliche intelligenz\b|\bassistent",
    r"\bia\b|\bmodèle de langage\b|\bintelligence artificielle\b",
    r"\bmodelo de leng|\binteligencia artificial\b|\basistente\b",
    r"\bmodelo de ling|\binteligência artificial\b",
    r"\bassistente\b|\bmodello linguistico\b|\bintelligenza artificiale\b",
    r"语言模型|語言模型|人工智能|人工智慧|助手|大模型|聊天机器人",
)
_MADE_BY: Final = _either(
    r"\b(?:trained|developed|created|made|built|designed|provided|powered|programmed|engineered) (?:by|at)",
    r"\b(?:product|creation|version|variant|member|part) of|\bbased (?:up)?on|\bfine-?tuned (?:from|on)",
    r"\b(?:entwickelt|trainiert|erstellt|geschaffen|programmiert) von",
    r"\b(?:créé|développé|entraîné|conçu|formé|mis au point|propulsé)e? par",
    r"\b(?:cread|desarrollad|entrenad|diseñad|hech)[oa] por",
    r"\b(?:criad|desenvolvid|treinad|projetad|feit)[oa] (?:por|pel[oa])",
    r"\b(?:creat|sviluppat|addestrat|progettat)[oa] da(?:l|lla)?",
    r"由|来自|來自|基于",
)
_OF: Final = r"(?:by|from|of|von|par|de|du|chez|por|pel[oa]|da|do|di|dal)"
_MADE: Final = _either(
    "created|made|built|trained|developed|designed|programmed|entwickelt|trainiert|erstellt|geschaffen",
    "programmiert|开发|開發|训练|訓練|创建|創建|研发|研發|推出",
    "打造|创造|提供|研制",
)
_CALLED: Final = _either(
    "called|named|known as|actually|just|simply|indeed|genannt|namens|nommée?|appelée?|llamad[oa]",
    "chamad[oa]|chiamat[oa]|叫|名为|名叫",
)
_ARTICLE: Final = (
    r"(?:\W{1,3}(?:the|a|an|team|teams|company|firm|people|researchers|engineers|scientists|at|of|from|der|die"
    r"|das|dem|firma|unternehmen|la|le|les|l|entreprise|société|équipe|el|los|empresa|compañía|equipo|o|os"
    r"|equipe)\b){0,4}"
)
_QUOTES: Final = r"[\s\"'*_`«“„]{0,4}$"
_LEFT_NAMED: Final = re.compile(rf"{_I_AM}(?:\W{{1,3}}{_CALLED})*[:,]?{_QUOTES}")
_LEFT_AI_CALLED: Final = re.compile(rf"{_I_AM}.*{_AI}.*(?:{_CALLED}\W{{0,3}}|[,:(—-]\s?){_QUOTES}")
_LEFT_ARTICLE: Final = re.compile(
    rf"{_I_AM}\W{{1,3}}(?:the|an?|one of|eine?|das|die|une?|l[ea]|una?|el|uma?|[oa]|il)\b.{{0,20}}$"
)
_LEFT_MADE_BY: Final = re.compile(rf"(?:{_MADE_BY}|{_AI}\W{{1,3}}{_OF}){_ARTICLE}{_QUOTES}")
_LEFT_MADE_BY_NEAR: Final = re.compile(
    rf"{_I_AM}(?:\W{{1,3}}\w{{1,12}})?\W{{0,3}}{_MADE_BY}{_ARTICLE}{_QUOTES}"
)
_LEFT_FROM: Final = re.compile(rf"(?:{_I_AM}.{{0,60}}\W(?:{_OF}|由)|我是){_ARTICLE}{_QUOTES}")
_LEFT_MY_MAKER: Final = re.compile(
    rf"\bmy (?:creator|maker|developer)s?(?:\W{{1,3}}(?:is|are|at|from|the|team|called)\b){{0,3}},?{_QUOTES}"
)
_LEFT_AS: Final = re.compile(r"(?:^|\W)(?:as|als|en tant que|como)\W{1,3}$")
_RIGHT_I: Final = re.compile(r"(?:,| an? ).{0,60}\b(?:i|ich|je|j|yo|eu)\b")
_LEFT_GREETING: Final = re.compile(r"^\W*(?:(?:hi|hello|hey|hallo)\b(?: there)?\W{1,3})?$")
_RIGHT_HERE: Final = re.compile(r" here\b(?=\W*$|[,!.])")
_RIGHT_MADE: Final = re.compile(rf".{{0,25}}{_MADE}")
_RIGHT_MADE_ME: Final = re.compile(
    r"\W{0,3}(?:\w+ ){0,3}(?:created|made|built|trained|developed|designed|programmed) me\b"
)
_RIGHT_AI: Final = re.compile(
    rf"(?:'s)?\W{{1,3}}(?:\w+\W{{1,3}}){{0,3}}?(?:{_AI}|model)|(?:'s)?\W{{0,3}}(?:{_AI}|model)"
)
_RIGHT_END: Final = re.compile(
    r"(?:'s)?[\s\"'*_`»”)]{0,3}"
    r"(?:$|[.,!?;:(\[，。！；：—-]|v?\d|\b(?:by|from|developed|created|trained|made|built|designed|how|your"
    r"|here|an?|the|speaking|entwickelt|eine?|une?|una?|uma?)\b|[的由是一]|开发|研发|训练|推出)"
)
_SELF: Final = re.compile(
    _either(
        _I_AM,
        r"\bas (?:an?|your) |\bmy (?:creator|maker|developer|training)|" + _MADE + r" me\b",
        r"\bthis (?:ai|assistant|(?:language )?model|chatbot)\b|\bas \w+(?: \w+)?, i\b",
        r"\bals \w|\ben tant qu|\bcomo \w|作为|作為",
    )
)
_AI_WORD: Final = re.compile(_AI)
_SENTENCE_END: Final = re.compile(r"[.!?]+(?=\s)|[。！？\n]")
_SENTENCE_CHARS: Final = 220
_ARE_YOU: Final = (
    r"(?:\bare (?:you|u)|\bbist du|\bsind sie|\bes-tu|\bêtes-vous|\btu es|\beres|\bvocê é|\bsei|你是|您是)"
)
_ASKS_WHO: Final = re.compile(
    _either(
        _ARE_YOU,
        r"\byour (?:name|creator|maker|developer)|\b(?:made|created|trained|built|developed) you\b",
        r"\bdein name\b|\bheisst du\b|\bhat dich\b",
        r"\bt'appelles\b|\bt'a (?:créé|développé|entraîné)",
        r"\bte llamas\b|\bte (?:creó|entrenó|desarrolló)\b|\bseu nome\b|\bé você\b|\bti chiami\b",
        r"你叫|你的名字|[开发創创造建训练]了?你",
    )
)
_LEFT_ARE_YOU: Final = re.compile(
    rf"{_ARE_YOU}\W{{0,3}}(?:(?:really|actually|an?|the|based on|made by|called|from)\W{{1,3}}){{0,3}}$"
)
_YES: Final = re.compile(
    r"\W{0,5}(?:yes|yep|yeah|correct|that's right|indeed|ja|oui|sí|sim|sì|是的|对)(?![a-zà-ÿ])"
)


def _speaks_of_itself(folded: str, mention: re.Match[str], *, only_as_ai: bool = False) -> bool:
    """Whether the name stands where an answer says who or whose it is."""
    left, right = _sentence_around(folded, mention)
    if _LEFT_GREETING.match(left) and _RIGHT_HERE.match(right) and not only_as_ai:
        return True
    if not _SELF.search(left) and not _RIGHT_MADE_ME.match(right) and not _LEFT_AS.search(left):
        return False
    about_ai = _AI_WORD.search(left) is not None or _AI_WORD.search(right) is not None
    if only_as_ai and not about_ai:
        return False
    # "Hello, my name is Claude," said the boy.
    if not about_ai and sum(map(left.count, '"“”„«»')) % 2:
        return False
    if _RIGHT_MADE_ME.match(right) or (_LEFT_AS.search(left) and _RIGHT_I.match(right)):
        return True
    if _LEFT_NAMED.search(left) and (about_ai or _RIGHT_END.match(right)):
        return True
    if _LEFT_ARTICLE.search(left) and _RIGHT_AI.match(right):
        return True
    if _LEFT_FROM.search(left) and _RIGHT_MADE.match(right):
        return True
    if _LEFT_MADE_BY_NEAR.search(left) or _LEFT_MY_MAKER.search(left):
        return True
    return about_ai and bool(
        _LEFT_AI_CALLED.search(left) or (_LEFT_MADE_BY.search(left) and _SELF.search(left))
    )


def _sentence_around(folded: str, mention: re.Match[str]) -> tuple[str, str]:
    left = folded[max(0, mention.start() - _SENTENCE_CHARS) : mention.start()]
    right = folded[mention.end() : mention.end() + _SENTENCE_CHARS]
    return _SENTENCE_END.split(left)[-1], _SENTENCE_END.split(right, maxsplit=1)[0]


def _confirmed(folded: str, asked: str, words: IdentityWords) -> str | None:
    """Are you ChatGPT? - Yes."""
    if not _YES.match(folded):
        return None
    for word in (*words.clear, *words.ordinary):
        for mention in word.mentions(asked):
            if _LEFT_ARE_YOU.search(asked[: mention.start()]):
                return word.label
    return None
