from __future__ import annotations

import pytest

from crucible.errors import UserError
from crucible.rewards.ifeval import ifeval, instruction, loosened
from tests.rewards.cases import completions, prompt, scored

NO_COMMA = ("punctuation:no_comma", {})
CAT = ("keywords:existence", {"keywords": ["cat"]})
FIVE = ("length_constraints:number_words", {"num_words": 5, "relation": "at least"})


def value(text, *instructions, **options):
    reference = {"instruction_id_list": [name for name, _ in instructions], "kwargs": [a for _, a in instructions]}
    scores = scored(ifeval(**options), [prompt(**reference)], completions(text))
    return None if scores.valid is not None else scores.total.item()


def test_worked_number():
    """Two of three are followed."""
    assert value("a cat, and two dogs", NO_COMMA, CAT, FIVE) == pytest.approx(2 / 3)
    assert value("a cat, and two dogs", NO_COMMA, CAT, FIVE, level="prompt") == 0.0
    assert value("a cat and two dogs", NO_COMMA, CAT, FIVE, level="prompt") == 1.0


def test_loose_leaves_out_lines_and_asterisks():
    text = "Sure, here it is:\na *c*at\nHope it helps, bye"
    assert value(text, NO_COMMA, CAT) == 0.0
    assert value(text, NO_COMMA, CAT, mode="loose") == 1.0
    assert set(loosened(text)) == {
        text, "a *c*at\nHope it helps, bye", "Sure, here it is:\na *c*at", "a *c*at",
        text.replace("*", ""), "a cat\nHope it helps, bye", "Sure, here it is:\na cat", "a cat",
    }  # fmt: skip


def test_thoughts_are_not_read():
    assert value("a, b</think>cat", NO_COMMA, CAT) == 1.0
    assert value("a, b</think>cat", NO_COMMA, CAT, thoughts_end="") == 0.5


@pytest.mark.parametrize("mode", ["strict", "loose"])
def test_an_empty_answer_follows_nothing(mode):
    assert value(" \n", NO_COMMA, mode=mode) == 0.0
    assert value("cat</think>", NO_COMMA, CAT, mode=mode) == 0.0


def test_a_prompt_without_instructions_is_no_verdict():
    assert value("cat") is None


def test_null_arguments_are_left_out():
    assert value("cat", ("keywords:existence", {"keywords": ["cat"], "relation": None})) == 1.0


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("keywords:existense", {}, r'did you mean "existence"'),
        ("keyword:existence", {}, r'did you mean "keywords"'),
        ("keywords:_hidden", {}, "unknown instruction"),
        ("keywords:holds", {}, "unknown instruction"),  # a helper that the module imports
        ("keywords:existence", {}, "missing a required argument: 'keywords'"),
        ("punctuation:no_comma", {"n": 3}, "unexpected keyword argument 'n'"),
        ("keywords:frequency", {"keyword": "a", "frequency": 1, "relation": "at most"}, "at least"),
    ],
)
def test_what_is_wrong_with_the_data_stops_the_run(name, arguments, said):
    with pytest.raises(UserError, match=said):
        value("a", (name, arguments))


AT_LEAST, LESS = "at least", "less than"


@pytest.mark.parametrize(
    ("name", "arguments", "good", "bad"),
    [
        ("length_constraints:number_words", {"num_words": 3, "relation": AT_LEAST}, "a b-c", "a b"),
        ("length_constraints:number_words", {"num_words": 3, "relation": LESS}, "a b", "a b c"),
        ("length_constraints:number_sentences", {"num_sentences": 2, "relation": AT_LEAST}, "Go. Stop!", "Go, stop."),
        ("length_constraints:number_sentences",
         {"num_sentences": 2, "relation": LESS}, "Mr. X has 3.5 kg.", "Go. Stop"),
        ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "a\n***\nb\n***", "a *** b *** c"),
        ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "a***b", "a******b"),
        ("length_constraints:nth_paragraph_first_word",
         {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Yes"}, "a\n\n'yes, b", "yes\n\na"),
        ("keywords:existence", {"keywords": ["a.c", "X"]}, "xa.cy", "abc x"),  # a text, not a pattern
        ("keywords:frequency", {"keyword": "Ha", "frequency": 3, "relation": AT_LEAST}, "hahaHA", "ha ha h"),
        ("keywords:forbidden_words", {"forbidden_words": ["art"]}, "a party", "Art!"),
        ("keywords:letter_frequency", {"letter": "E", "let_frequency": 2, "let_relation": LESS}, "eat", "eerie"),
        ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[a] [b]", "[a] [b\n]"),
        ("detectable_content:postscript", {"postscript_marker": "P.S."}, "x\np. s. y", "x ps y"),
        ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "P.P.S hm", "P.S. hm"),
        ("detectable_content:postscript", {"postscript_marker": "N.B."}, "n.b. x", "nxbx"),
        ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* a\n - b\n**c**", "* a\n* b\n* c"),
        ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*a* **b**", "*a* ** **"),
        ("detectable_format:multiple_sections", {"section_spliter": "Day (x)", "num_sections": 2},
         "Day (x) 1 a Day (x)2", "Day (x) 1 a Day (x) b"),
        ("detectable_format:title", {}, "a\n<<b>> c", "<<\nb>>"),
        ("detectable_format:title", {}, "<<a>> <<>>", "<<  >>"),
        ("detectable_format:json_format", {}, '```json\n{"a": [1]}\n```', "{'a': 1}"),
        ("detectable_format:constrained_response", {}, "So: My answer is no.", "No."),
        ("combination:two_responses", {}, "a ****** b", "a ****** a"),
        ("combination:two_responses", {}, "******a******b", "a ****** b ****** c"),
        ("combination:repeat_prompt", {"prompt_to_repeat": "Do X."}, " do x. Done", "I do x."),
        ("startend:start_checker", {"start_phrase": "I say"}, '"I SAY so"', "So I say"),
        ("startend:end_checker", {"end_phrase": "the end."}, 'This is The End."', "the end. No"),
        ("startend:quotation", {}, ' "a" ', '"'),
        ("change_case:english_capital", {}, "THIS IS A TEXT IN ENGLISH", "THIS is a text in English"),
        ("change_case:english_capital", {}, "WE ARE ALL HERE TODAY", "WIR SIND HEUTE ALLE HIER UND FROH"),
        ("change_case:english_lowercase", {}, "this is a text in english", "123"),
        ("change_case:capital_word_frequency",
         {"capital_frequency": 2, "capital_relation": AT_LEAST}, "A B-C d", "A b"),
        ("punctuation:no_comma", {}, "a; b", "a, b"),
        ("language:response_language", {"language": "de"}, "Das ist ein ganz gewöhnlicher Satz.", "This is one."),
        ("language:response_language", {"language": "hi"}, "यह एक सामान्य वाक्य है", "?!"),
    ],
)  # fmt: skip
def test_each_instruction_tells_good_from_bad(name, arguments, good, bad):
    check = instruction(name)
    assert check(good, **arguments)
    assert not check(bad, **arguments)


def test_every_instruction_is_tested():
    from crucible.rewards import instructions
    from crucible.rewards.ifeval import GROUPS

    tested = {case[0] for mark in test_each_instruction_tells_good_from_bad.pytestmark for case in mark.args[1]}
    found = set()
    for group in GROUPS:
        module = __import__(f"{instructions.__name__}.{group}", fromlist=["x"])
        found |= {
            f"{group}:{key}" for key, v in vars(module).items()
            if getattr(v, "__module__", "") == module.__name__ and not key.startswith("_")
        }  # fmt: skip
    assert tested == found
