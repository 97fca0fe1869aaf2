"""The character tokenizer of the models trained from scratch.

One token for each printable ASCII character and the newline, `<pad> <bos> <eos> <unk>`, and the two
words "Yes" and "No" as single tokens (the answers of a principle-conditioned reward model).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PAD, BOS, EOS, UNK = "<pad>", "<bos>", "<eos>", "<unk>"
WORDS = ("Yes", "No")
CHARACTERS = (*map(chr, range(0x20, 0x7F)), "\n")

# "Yes" and "No" are one token only where they stand alone between word boundaries: "Not", "Yesterday",
# "No_1" and "aNo" stay characters. Any other character, the newline included, is a token of its own.
_PIECES = r"\bYes\b|\bNo\b|[\s\S]"


def character_tokenizer(*, context_length: int = 256) -> PreTrainedTokenizerFast:
    """A fast tokenizer over characters; `AutoTokenizer.from_pretrained` loads what it saves.

    Encoding puts `<bos>` in front (its post-processor), decoding joins pieces without spaces or
    clean-up, so `decode(encode(text), skip_special_tokens=True) == text` for every text over the
    alphabet that does not itself spell a special token such as "<eos>". A character outside the
    alphabet becomes `<unk>`; `Policy.encode` refuses it.
    """
    vocabulary = {token: i for i, token in enumerate((PAD, BOS, EOS, UNK, *WORDS, *CHARACTERS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNK))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_PIECES), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, vocabulary[BOS])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNK,
        padding_side="left",
        model_max_length=context_length,
        clean_up_tokenization_spaces=False,
    )


def unknown_characters(tokenizer: PreTrainedTokenizerBase, text: str) -> list[str]:
    """The distinct pieces of `text` that `tokenizer` can only write as its unknown token, in order.

    Empty for tokenizers without an unknown token of their own (byte-level ones reuse another token).
    """
    unk = tokenizer.unk_token_id
    if unk is None or unk in (tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.pad_token_id):
        return []
    coded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    found = (
        text[start:end]
        for token, (start, end) in zip(coded["input_ids"], coded["offset_mapping"], strict=True)
        if token == unk
    )
    return list(dict.fromkeys(found))
