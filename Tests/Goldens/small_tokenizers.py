"""Two small tokenizers with the structure of real ones, trained by a few lines of BPE so that they never change.

`sentencepiece` has the structure of LLaVA-1.5's tokenizer.json (Prepend/Replace normalizer, byte fallback,
<s> put in front by the post-processor); `bytelevel` that of SmolLM2's (single digits, GPT-2 byte alphabet,
no special tokens added).
"""

import collections
import json
import pathlib

from tokenizers import pre_tokenizers

CORPUS = """
What is shown in the picture? What is on the table? Describe the image. How many birds are there? Which colour is it?
A red apple on a table. A green pear on the table. The picture shows a small blue bird. There are two birds in the tree.
It is a yellow square on the left and a round shape on the right. The image shows nothing but a grey wall.
USER: ASSISTANT: user assistant system The colour of the shape is red. The colour of the square is green.
"""


def train(words: dict[tuple[str, ...], int], count: int) -> list[tuple[str, str]]:
    """The `count` merges of byte-pair encoding; ties go to the lexicographically smaller pair."""
    merges = []
    for _ in range(count):
        pairs = collections.Counter()
        for word, n in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += n
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        merged = collections.Counter()
        for word, n in words.items():
            symbols, i = [], 0
            while i < len(word):
                width = 2 if word[i : i + 2] == best else 1
                symbols.append("".join(word[i : i + width]))
                i += width
            merged[tuple(symbols)] += n
        words = merged
    return merges


def added(token: str, index: int) -> dict:
    return dict(id=index, content=token, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)


def write(folder: pathlib.Path, tokenizer: dict, **special) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    header = dict(version="1.0", truncation=None, padding=None)
    text = json.dumps(header | tokenizer, ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(text + "\n", encoding="utf-8")
    config = dict(tokenizer_class="PreTrainedTokenizerFast", clean_up_tokenization_spaces=False, model_max_length=256)
    (folder / "tokenizer_config.json").write_text(json.dumps(config | special, indent=1) + "\n")


def sentencepiece(folder: pathlib.Path, merges: int = 40) -> int:
    """Writes the tokenizer and returns the number of its tokens."""
    words = collections.Counter(tuple("▁" + word) for word in CORPUS.split())
    characters = sorted({c for word in words for c in word})
    rules = train(words, merges) + [("▁", "▁")]
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    tokens += [a + b for a, b in rules] + characters
    first_added = len(tokens)
    model = dict(type="BPE", dropout=None, unk_token="<unk>", continuing_subword_prefix=None, end_of_word_suffix=None,
                 fuse_unk=True, byte_fallback=True, vocab={token: i for i, token in enumerate(tokens)},
                 merges=[f"{a} {b}" for a, b in rules])
    start = dict(SpecialToken=dict(id="<s>", type_id=0))
    a, b = (dict(Sequence=dict(id=name, type_id=i)) for i, name in enumerate("AB"))
    write(folder, dict(
        added_tokens=[added("<unk>", 0), added("<s>", 1), added("</s>", 2),
                      added("<image>", first_added), added("<pad>", first_added + 1)],
        normalizer=dict(type="Sequence", normalizers=[
            dict(type="Prepend", prepend="▁"), dict(type="Replace", pattern=dict(String=" "), content="▁")]),
        pre_tokenizer=None,
        post_processor=dict(type="TemplateProcessing", single=[start, a], pair=[start, a, start, b],
                            special_tokens={"<s>": dict(id="<s>", ids=[1], tokens=["<s>"])}),
        decoder=dict(type="Sequence", decoders=[
            dict(type="Replace", pattern=dict(String="▁"), content=" "), dict(type="ByteFallback"), dict(type="Fuse"),
            dict(type="Strip", content=" ", start=1, stop=0)]),
        model=model), bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>")
    return first_added + 2


def bytelevel(folder: pathlib.Path, merges: int = 80) -> int:
    """Writes the tokenizer and returns the number of its tokens."""
    split = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    words = collections.Counter(tuple(word) for word, _ in split.pre_tokenize_str(CORPUS))
    rules = train(words, merges)
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<reserved_0>"]
    tokens = specials + sorted(pre_tokenizers.ByteLevel.alphabet()) + [a + b for a, b in rules]
    model = dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix=None, end_of_word_suffix=None,
                 fuse_unk=False, byte_fallback=False, ignore_merges=False,
                 vocab={token: i for i, token in enumerate(tokens)}, merges=[list(rule) for rule in rules])
    write(folder, dict(
        added_tokens=[added(token, i) for i, token in enumerate(specials)] + [added("<image>", len(tokens))],
        normalizer=None,
        pre_tokenizer=dict(type="Sequence", pretokenizers=[
            dict(type="Digits", individual_digits=True),
            dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)]),
        post_processor=None,
        decoder=dict(type="ByteLevel", add_prefix_space=True, trim_offsets=True, use_regex=True),
        model=model), bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|im_end|>")
    return len(tokens) + 1
