"""Goldens of the tokenizer tests, made with Hugging Face's `tokenizers` (0.23.3).

    python tokenizer_cases.py goldens Tests/Goldens/tokenizers
        trains small tokenizers of the structures met in real models and writes each as NAME.tokenizer.json, with
        NAME.cases.json: texts, their ids without and with special tokens, and what the ids decode to. Tokenizers
        that are there are kept: training breaks ties by hash order, so that it differs from run to run.
    python tokenizer_cases.py fuzz DIR [TOKENIZER.json ...] --count 20000
        writes NAME.tokenizer.json and NAME.cases.jsonl into DIR for the same tokenizers and those named, with many
        random texts and every Unicode scalar: MISP_TOKENIZER_FUZZ=DIR swift test -c release --filter TokenizerFuzz
"""

import argparse
import json
import os
import random
import sys

from tokenizers import AddedToken, Regex, Tokenizer  # noqa: E402
from tokenizers import decoders as D, models as M, normalizers as N  # noqa: E402
from tokenizers import pre_tokenizers as P, processors as X, trainers as T  # noqa: E402

QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3 = QWEN2.replace(r"\p{N}|", r"\p{N}{1,3}|", 1)
CLIP = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
O200K = "|".join(
    [
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)

WORDS = (
    "the a of and to in is on it was that with as for at by this picture shows red green blue apple pear table cat "
    "dog sits beside under large small wooden window man woman holding umbrella riding bicycle street there are two "
    "three people standing near what color how many don't it's we'll I'm they've you're café naïve über straße 2024 "
    "1999 3.14 42 image answer question yes no The What A In hello world don’t ABC iPhone НЕТ да привет мир 世界 你好 "
    "日本 こんにちは 한국어 مرحبا שלום नमस्ते ไทย é ñ 😀 👍 ... -- , . ! ? : ; ( ) \n \n\n \t   "
).split(" ")


def corpus(seed=1, lines=600):
    random_ = random.Random(seed)
    return [" ".join(random_.choice(WORDS) for _ in range(random_.randint(3, 14))) for _ in range(lines)]


def special(*contents, **flags):
    return [AddedToken(c, special=True, normalized=False, **flags) for c in contents]


def train(tokenizer, size, byte_level=True, **options):
    alphabet = P.ByteLevel.alphabet() if byte_level else []
    trainer = T.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False, **options)
    tokenizer.train_from_iterator(corpus(), trainer)
    return tokenizer


def with_byte_fallback(tokenizer, specials):
    """The trained model renumbered as SentencePiece orders it: specials, 256 bytes, the rest."""
    model = json.loads(tokenizer.to_str())["model"]
    order = specials + [f"<0x{b:02X}>" for b in range(256)]
    order += [t for t in sorted(model["vocab"], key=model["vocab"].get) if t not in order]
    merges = [tuple(m) for m in model["merges"]]
    vocab = {t: i for i, t in enumerate(order)}
    tokenizer.model = M.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    return tokenizer


def smollm2():
    t = Tokenizer(M.BPE())
    t.pre_tokenizer = P.Sequence([P.Digits(individual_digits=True), P.ByteLevel(add_prefix_space=False)])
    t.decoder = D.ByteLevel()
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>"]
    train(t, 620, special_tokens=special(*specials))
    return t


def llama():
    t = Tokenizer(M.BPE())
    t.normalizer = N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")])
    t.pre_tokenizer = P.Metaspace(prepend_scheme="never")
    train(t, 520, byte_level=False)
    t.pre_tokenizer = None
    with_byte_fallback(t, ["<unk>", "<s>", "</s>"])
    t.add_special_tokens(special("<unk>", "<s>", "</s>"))
    t.add_tokens([AddedToken("<image>", normalized=False)])
    t.add_special_tokens(special("<pad>"))
    t.post_processor = X.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    t.decoder = D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)])
    return t


def mistral(scheme="first", split=False):
    t = Tokenizer(M.BPE())
    t.pre_tokenizer = P.Metaspace(prepend_scheme="always")
    train(t, 480, byte_level=False)
    t.pre_tokenizer = P.Metaspace(prepend_scheme=scheme, split=split)
    with_byte_fallback(t, ["<unk>", "<s>", "</s>"])
    t.add_special_tokens(special("<unk>", "<s>", "</s>", "[INST]", "[/INST]"))
    t.post_processor = X.TemplateProcessing(
        single="<s> $A </s>", pair="$A $B", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    t.decoder = D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)])
    return t


def metaspace():
    t = mistral("always", True)
    t.add_tokens(["<image>", AddedToken("wood", single_word=True), AddedToken("na", lstrip=True, rstrip=True)])
    t.decoder = D.Metaspace()
    return t


def clip():
    t = Tokenizer(M.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>", continuing_subword_prefix=""))
    t.normalizer = N.Sequence([N.NFC(), N.Replace(Regex(r"\s+"), " "), N.Lowercase()])
    t.pre_tokenizer = P.Sequence([P.Split(Regex(CLIP), "removed", invert=True), P.ByteLevel(add_prefix_space=False)])
    t.decoder = D.ByteLevel()
    train(t, 780, end_of_word_suffix="</w>", special_tokens=special("<|startoftext|>", "<|endoftext|>"))
    model = json.loads(t.to_str())["model"]  # the trainer lacks the closed form of rare bytes
    vocab = model["vocab"]
    for c in sorted(P.ByteLevel.alphabet()):
        vocab.setdefault(c + "</w>", len(vocab))
    merges = [tuple(m) for m in model["merges"]]
    t.model = M.BPE(
        vocab, merges, unk_token="<|endoftext|>", end_of_word_suffix="</w>", continuing_subword_prefix=""
    )
    ends = [(s, t.token_to_id(s)) for s in ("<|endoftext|>", "<|startoftext|>")]
    t.post_processor = X.RobertaProcessing(ends[0], ends[1], trim_offsets=False, add_prefix_space=False)
    return t


def split_byte_level(pattern, size, specials, normalizer=None, **model):
    t = Tokenizer(M.BPE(**model))
    if normalizer:
        t.normalizer = normalizer
    t.pre_tokenizer = P.Sequence(
        [P.Split(Regex(pattern), "isolated"), P.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    t.decoder = D.ByteLevel()
    train(t, size)
    t.add_special_tokens(special(*specials))
    return t


def qwen2():
    return split_byte_level(QWEN2, 560, ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|image_pad|>"], N.NFC())


def llama3():
    t = split_byte_level(LLAMA3, 600, ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"], ignore_merges=True)
    begin = ("<|begin_of_text|>", t.token_to_id("<|begin_of_text|>"))
    template = X.TemplateProcessing(single=f"{begin[0]} $A", pair=f"{begin[0]} $A $B", special_tokens=[begin])
    t.post_processor = X.Sequence([X.ByteLevel(trim_offsets=False), template])
    return t


def o200k():
    return split_byte_level(O200K, 540, ["<|endoftext|>"])


def roberta():
    t = Tokenizer(M.BPE())
    t.pre_tokenizer = P.ByteLevel(add_prefix_space=True)
    t.decoder = D.ByteLevel()
    train(t, 520, special_tokens=special("<s>", "<pad>", "</s>", "<unk>"))
    t.add_special_tokens(special("<mask>", lstrip=True))
    t.post_processor = X.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=True)
    return t


def words():
    """Parts of the format that the models above leave unused."""
    t = Tokenizer(M.BPE(unk_token="[UNK]", continuing_subword_prefix="##"))
    dashes = N.Replace(Regex(r"[\-_]{2,}"), "—")
    t.normalizer = N.Sequence([N.NFKD(), N.StripAccents(), N.Lowercase(), N.Strip(), dashes])
    digits = P.Digits(individual_digits=False)
    t.pre_tokenizer = P.Sequence([P.Whitespace(), digits, P.Split("sh", "merged_with_previous")])
    specials = special("[UNK]", "[CLS]", "[SEP]")
    train(t, 420, False, continuing_subword_prefix="##", special_tokens=specials, limit_alphabet=90)
    t.add_tokens([AddedToken("Straße"), AddedToken(" left", lstrip=True), AddedToken("right", rstrip=True)])
    t.add_tokens([AddedToken("cat", single_word=True, normalized=False), "İx", "do", "dog"])
    t.post_processor = X.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return t


def closed_words():
    """The same, once more."""
    t = Tokenizer(M.BPE(unk_token="<unk>", end_of_word_suffix="</w>", fuse_unk=True))
    t.normalizer = N.Sequence([N.NFKC(), N.Strip(left=True, right=False)])
    vowels = P.Split(Regex(r"[aeiou]{2}"), "contiguous")
    t.pre_tokenizer = P.Sequence([P.WhitespaceSplit(), P.Punctuation("merged_with_next"), vowels])
    train(t, 400, False, end_of_word_suffix="</w>", special_tokens=special("<unk>"), limit_alphabet=80)
    t.decoder = D.BPEDecoder()
    return t


BUILDERS = [smollm2, llama, mistral, metaspace, clip, qwen2, llama3, o200k, roberta, words, closed_words]
LEGACY_MERGES = {"smollm2", "llama", "clip", "roberta"}


def file_text(name, tokenizer):
    """tokenizer.json as a file of the structure's time has it."""
    content = json.loads(tokenizer.to_str())
    if name in LEGACY_MERGES:
        content["model"]["merges"] = [" ".join(m) for m in content["model"]["merges"]]
    if name == "metaspace":
        content["pre_tokenizer"]["add_prefix_space"] = True
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


# Texts

PARTS = WORDS + [
    " ", "  ", "   ", "\n", "\r\n", "\r", "\t", "\u00a0", "\u2003", "\u2028", "\u2029", "\u0085", "\u200b", "\u3000",
    "\u1680", "\ufeff", "\x00", "\x01", "\x0b", "\x0c", "\x1c", "\x7f", "0", "12", "1234567", "٣", "½", "Ⅷ", "²", "๑",
    "'s", "'S", "'ſ", "'LL", "'ll", "'re", "'RE", "’s", "ſ", "K", "ß", "ẞ", "İ", "ı", "Σ", "ς", "ǅ", "ﬁ", "ﬆ", "Å", "Å",
    "e\u0301", "\u0301", "a\u0328\u0301", "\u0344", "\u0958", "क्षि", "각", "\u1100\u1161\u11a8", "\u1112\u1161", "が",
    "か\u3099", "👨‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪", "❤️", "\ufe0f", "\ufe0e", "\u200d", "\u200c", "\U000e0101", "𝔘𝔫𝔦", "𐍈",
    "𠀀", "\U0010ffff", "\u07fd", "\u1cf2", "\U000111c9", "\u166d", "\u061d", "\U00010940a", "a\u0897",
    "\U00016d63\U00016d67", "\u32ff", "\ua7f2", "\ufffd", "\ufffe", "\ue000", "▁", "▁▁", "Ġ", "</w>", "##", "<0x41>",
    "<0xE2>", "_", "__", "---", "a_b", "-", "/", "\\", '"', "$€", "+=", "(((", "…", "https://a.b/c?d=e", "sh", "ea",
    "STRASSE", "Straße", "strasse", " left", "right ", "cat", "cats", "i̇x", "do", "dog", "wood", "wooden", "na",
    " na ", "xna", "<image>", "<pad>", "<s>", "</s>", "<unk>", "<s", "[INST]", "<mask>", " <mask> ", "<|endoftext|>",
    "<|im_start|>", "<|startoftext|>", "<|image_pad|>", "<|eot_id|>", "[UNK]", "[SEP]",
]  # fmt: skip


def scalar(random_):
    """Any scalar, the lower planes preferred."""
    limit = random_.choice([0x80, 0x100, 0x600, 0x3000, 0x10000, 0x20000, 0x110000])
    while True:
        value = random_.randrange(limit)
        if not 0xD800 <= value < 0xE000:
            return chr(value)


def random_text(random_):
    kind = random_.random()
    if kind < 0.15:
        return "".join(scalar(random_) for _ in range(random_.randint(1, 12)))
    if kind < 0.3:
        return " ".join(random_.choice(WORDS) for _ in range(random_.randint(1, 12)))
    parts = []
    for _ in range(random_.randint(1, 9)):
        parts.append(scalar(random_) if random_.random() < 0.15 else random_.choice(PARTS))
        if random_.random() < 0.4:
            parts.append(" " * random_.choice([1, 1, 1, 2, 5]))
    return "".join(parts)


def every_scalar():
    """Texts that hold every scalar inside a word, between spaces and before a digit."""
    values = [v for v in range(0x110000) if not 0xD800 <= v < 0xE000]
    assigned = [v for v in values if v < 0x32000 or v >= 0xE0000 and v < 0xE0200]
    return ["a" + "b ".join(f"{chr(v)}1 {chr(v)}" for v in assigned[i : i + 8]) for i in range(0, len(assigned), 8)]


def decoded(tokenizer, ids, skip):
    text = tokenizer.decode(ids, skip_special_tokens=skip)
    suffix = tokenizer.model.end_of_word_suffix
    if suffix and "ByteLevel" in str(tokenizer.decoder):  # as transformers' CLIPTokenizer does
        text = text.replace(suffix, " ").strip()
    return text


def case(tokenizer, text, ids=None):
    """[text, ids, ids with special tokens, decoded, decoded without special tokens]"""
    if ids is None:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        full = tokenizer.encode(text, add_special_tokens=True).ids
    else:
        text, full = None, None
    results = [decoded(tokenizer, ids, False), decoded(tokenizer, ids, True)] if ids else ["", ""]
    return [text, ids, full] + results


def write_goldens(folder):
    for builder in BUILDERS:
        name = builder.__name__
        path = os.path.join(folder, f"{name}.tokenizer.json")
        text = open(path).read().rstrip("\n") if os.path.exists(path) else file_text(name, builder())
        tokenizer = Tokenizer.from_str(text)
        random_ = random.Random(name)
        texts = ["", " ", "  a", "<s>", "a" * 40] + PARTS[len(WORDS) :] + [random_text(random_) for _ in range(120)]
        cases = [case(tokenizer, t) for t in texts if len(t) < 60]
        size = tokenizer.get_vocab_size()
        cases += [case(tokenizer, None, [random_.randrange(size + 3) for _ in range(12)]) for _ in range(40)]
        write(folder, name, text, json.dumps({"size": size, "cases": cases}, separators=(",", ":")), "cases.json")


def write_fuzz(folder, count, files):
    named = [(b.__name__, file_text(b.__name__, b())) for b in BUILDERS]
    named += [(os.path.basename(os.path.dirname(os.path.abspath(f))), open(f).read()) for f in files]
    for name, text in named:
        tokenizer = Tokenizer.from_str(text)
        random_ = random.Random("fuzz " + name)
        texts = every_scalar() + [random_text(random_) for _ in range(count)]
        cases = [case(tokenizer, t) for t in texts]
        size = tokenizer.get_vocab_size()
        cases += [case(tokenizer, None, [random_.randrange(size) for _ in range(20)]) for _ in range(count // 4)]
        write(folder, name, text, "\n".join(json.dumps(c) for c in cases), "cases.jsonl")


def write(folder, name, tokenizer, cases, ending):
    os.makedirs(folder, exist_ok=True)
    for suffix, text in (("tokenizer.json", tokenizer), (ending, cases)):
        with open(os.path.join(folder, f"{name}.{suffix}"), "w") as file:
            file.write(text + "\n")
    print(name, len(tokenizer), len(cases))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["goldens", "fuzz"])
    parser.add_argument("folder")
    parser.add_argument("files", nargs="*", help="tokenizer.json files to add to the comparison")
    parser.add_argument("--count", type=int, default=20000)
    arguments = parser.parse_args()
    if arguments.mode == "goldens":
        write_goldens(arguments.folder)
    else:
        write_fuzz(arguments.folder, arguments.count, arguments.files)


main()
