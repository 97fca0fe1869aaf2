from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from crucible.policy.tokenizer import CHARACTERS, character_tokenizer, unknown_characters

TOKENIZER = character_tokenizer(context_length=99)
WORDS = st.sampled_from(["Yes", "No", "Not", "Yesterday", " ", "  ", "\n", "7+8=15;", " ,", "' s", "n't", "aNo", "No_"])
TEXT = st.lists(WORDS | st.text(alphabet="".join(CHARACTERS), max_size=8), max_size=12).map("".join)


def ids(text: str, tokenizer=TOKENIZER) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@settings(max_examples=300, deadline=None)
@given(TEXT)
def test_decoding_gives_the_text_back(text):
    if any(special in text for special in TOKENIZER.all_special_tokens):
        return
    assert TOKENIZER.decode(TOKENIZER(text)["input_ids"], skip_special_tokens=True) == text


def test_alphabet_is_printable_ascii_and_newline():
    assert sorted(CHARACTERS) == sorted([*(chr(c) for c in range(32, 127)), "\n"])
    assert len({i for c in CHARACTERS for i in ids(c)}) == 96
    assert len(TOKENIZER) == 96 + 4 + 2


@pytest.mark.parametrize("word", ["Yes", "No"])
def test_yes_and_no_are_one_token_alone_and_none_inside_words(word):
    (token,) = ids(word)
    assert TOKENIZER.decode([token]) == word
    assert ids(f"is it? {word}.").count(token) == 1
    for inside in (f"{word}t", f"a{word}", f"{word}1", f"{word}_", word.lower(), word.upper()):
        assert token not in ids(inside)
        assert len(ids(inside)) == len(inside)


def test_encoding_starts_with_bos_and_one_token_follows_for_each_character():
    coded = TOKENIZER("7+8=\n")["input_ids"]
    assert coded[0] == TOKENIZER.bos_token_id
    assert len(coded) == 6
    assert TOKENIZER.padding_side == "left"


def test_auto_tokenizer_loads_the_same_one(tmp_path):
    TOKENIZER.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    for text in ("Yes  No\n,.' Not", "7+8-6+2="):
        assert loaded(text)["input_ids"] == TOKENIZER(text)["input_ids"]
        assert loaded.decode(ids(text, loaded), skip_special_tokens=True) == text
    for name in ("pad_token_id", "bos_token_id", "eos_token_id", "unk_token_id", "model_max_length", "padding_side"):
        assert getattr(loaded, name) == getattr(TOKENIZER, name)


def test_unknown_characters_are_named_once_in_order():
    assert unknown_characters(TOKENIZER, "7×8=é×\t") == ["×", "é", "\t"]
    assert unknown_characters(TOKENIZER, "7*8=") == []
