"""Texts as tokens: how a text is cut, and which number each token has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import ConfigError, DataError, UnknownName

PAD, UNKNOWN, BEGIN, END = "<pad>", "<unk>", "<bos>", "<eos>"
SPECIALS = (PAD, UNKNOWN, BEGIN, END)
_UNKNOWN_AS = {"character": "\ufffd", "byte": "\ufffd".encode().decode("latin-1")}
"""How an unknown token is written where tokens stand without spaces between them."""
_BRACKETS = str.maketrans("", "", "()")
_LISTOPS = (*"0123456789", "[MIN", "[MAX", "[MED", "[SM", "]")


def _bytes(text: str) -> list[str]:
    """The bytes of the UTF-8 text, each as the character of that number."""
    return list(text.encode("utf-8", "surrogatepass").decode("latin-1"))


def _words(text: str) -> list[str]:
    return text.lower().split()


def listops_tokens(text: str) -> list[str]:
    """The tokens of a ListOps expression: operators with their bracket, digits, and `]`, which is a token of its own.

    The parentheses of the published files, which only repeat the nesting, are taken out. An early version of the benchmark's own
    tokeniser took the closing brackets out with them, and with them the nesting.
    """
    return text.translate(_BRACKETS).replace("]", " ] ").split()


CUTS: dict[str, Callable[[str], list[str]]] = {
    "byte": _bytes,
    "character": list,
    "word": _words,
    "listops": listops_tokens,
}


@dataclass(frozen=True)
class Vocabulary:
    """The tokens that are known, each with its place in `tokens` as its number.

    unit: how a text is cut, a name in CUTS; tokens: special ones first, `<pad>` and `<unk>` as 0 and 1. Raises DataError where
    the list is none of ours, UnknownName for another unit.
    """

    unit: str
    tokens: tuple[str, ...]
    specials: int = len(SPECIALS)
    """How many tokens at the beginning are special: they stand for no text."""

    def __post_init__(self) -> None:
        if self.unit not in CUTS:
            raise UnknownName.among("unit of text", self.unit, CUTS)
        sound = 2 <= self.specials <= len(self.tokens) and self.tokens[:2] == (PAD, UNKNOWN)
        if not sound or len(set(self.tokens[self.specials :])) < len(self.tokens) - self.specials:
            raise DataError(
                f"a vocabulary of {len(self.tokens)} tokens that begins with {', '.join(map(repr, self.tokens[:4]))}",
                where="vocabulary",
                hint=f"it begins with {PAD} and {UNKNOWN}, and no token comes twice: make it again from the training texts",
            )

    @classmethod
    def of(cls, texts: Iterable[str], unit: str, *, least_count: int = 1, largest: int | None = None) -> Vocabulary:
        """The tokens of the training texts, the most common first, ties by code point.

        least_count: how often a token must occur; largest: most tokens, the four special ones among them.
        """
        if unit not in CUTS:
            raise UnknownName.among("unit of text", unit, CUTS)
        if unit == "listops":
            return listops_vocabulary()
        if largest is not None and largest <= len(SPECIALS):
            raise ConfigError(
                f"a vocabulary of {largest} tokens has room for the {len(SPECIALS)} special ones only",
                where="vocabulary size",
                hint=f"take more than {len(SPECIALS)}",
            )
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(CUTS[unit](text))
        ranked = sorted((token for token, n in counts.items() if n >= least_count), key=lambda t: (-counts[t], t))
        room = len(ranked) if largest is None else largest - len(SPECIALS)
        return cls(unit, (*SPECIALS, *ranked[:room]))

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def _number(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens) if number >= self.specials}

    @cached_property
    def _by_code(self) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Of tokens that are one character: code points, ascending, and their numbers."""
        codes = np.array([ord(token) for token in self._number], np.uint32)
        numbers = np.array(list(self._number.values()), np.int64)
        by_code = np.argsort(codes)
        return codes[by_code], numbers[by_code]

    def special(self, name: str) -> int:
        """The number of a special token. Raises DataError where this vocabulary has none of that name."""
        if name not in self.tokens[: self.specials]:
            raise DataError(
                f"the vocabulary has no {name}",
                where="vocabulary",
                hint=f"its special tokens are {', '.join(self.tokens[: self.specials])}",
            )
        return self.tokens.index(name)

    def encode(self, text: str, *, begin: bool = False, end: bool = False) -> NDArray[np.int64]:
        """The numbers [token] of a text; `begin`, `end`: with `<bos>` before it, `<eos>` after it."""
        if self.unit in _UNKNOWN_AS:
            numbers = self._encode_codes(text)
        else:
            numbers = np.array([self._number.get(token, 1) for token in CUTS[self.unit](text)], np.int64)
        if not (begin or end):
            return numbers
        before = [self.special(BEGIN)] if begin else []
        after = [self.special(END)] if end else []
        return np.concatenate([np.array(before, np.int64), numbers, np.array(after, np.int64)])

    def encode_all(self, texts: Sequence[str], **marks: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(numbers [text, longest], filled up with `<pad>`; lengths [text]); `marks`: as of `encode`."""
        rows = [self.encode(text, **marks) for text in texts]
        lengths = np.array([len(row) for row in rows], np.int64)
        padded = np.zeros((len(rows), int(lengths.max(initial=0))), np.int64)
        padded[np.arange(padded.shape[1]) < lengths[:, None]] = np.concatenate([np.zeros(0, np.int64), *rows])
        return padded, lengths

    def decode(self, numbers: Iterable[int]) -> str:
        """The text of tokens, without the special ones but `<unk>`: bytes and characters as they were, words between spaces.

        Raises DataError for a number that no token has.
        """
        tokens = []
        for number in numbers:
            if not 0 <= number < len(self.tokens):
                raise DataError(
                    f"no token has the number {number}", where="tokens", hint=f"there are 0 to {len(self.tokens) - 1}"
                )
            if number >= self.specials:
                tokens.append(self.tokens[number])
            elif number == 1:
                tokens.append(_UNKNOWN_AS.get(self.unit, UNKNOWN))
        text = ("" if self.unit in _UNKNOWN_AS else " ").join(tokens)
        return text.encode("latin-1").decode("utf-8", "replace") if self.unit == "byte" else text

    def as_dict(self) -> dict[str, Any]:
        """What a JSON file keeps."""
        return {"unit": self.unit, "tokens": list(self.tokens), "specials": self.specials}

    @classmethod
    def from_dict(cls, entry: Any) -> Vocabulary:
        """The vocabulary in what `as_dict` gave. Raises DataError where it is something else."""
        try:
            unit, tokens, specials = entry["unit"], entry["tokens"], entry["specials"]
            sound = isinstance(specials, int) and isinstance(unit, str) and all(isinstance(t, str) for t in tokens)
            if not sound or (unit in _UNKNOWN_AS and any(len(t) != 1 for t in tokens[specials:])):
                raise TypeError
        except (KeyError, TypeError):
            raise DataError(
                "the vocabulary is damaged", where="vocabulary", hint="make it again from the training texts"
            ) from None
        return cls(unit, tuple(tokens), specials)

    def _encode_codes(self, text: str) -> NDArray[np.int64]:
        if self.unit == "byte":
            codes = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8).astype(np.uint32)
        else:
            codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        known, numbers = self._by_code
        if not len(known):
            return np.ones(len(codes), np.int64)
        at = np.minimum(np.searchsorted(known, codes), len(known) - 1)
        return np.where(known[at] == codes, numbers[at], 1)


def listops_vocabulary() -> Vocabulary:
    """The 18 tokens of ListOps: `<pad>`, `<unk>`, `<eos>`, ten digits, four operators, and the closing bracket."""
    return Vocabulary("listops", (PAD, UNKNOWN, END, *_LISTOPS), specials=3)
