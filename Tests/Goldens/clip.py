"""Writes the small random CLIP checkpoints of `clip/` and what transformers computes for them.

    python Tests/Goldens/clip.py

See README.md in this folder for the versions and for what each file holds.
"""

import json
import pathlib
import shutil

import torch
import transformers
from PIL import Image
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

import small_tokenizers
from checkpoints import CLIP, preprocessor, randomize
from llava_reference import write_json

GOLDENS = pathlib.Path(__file__).resolve().parent
ROOT = GOLDENS / "clip"
PICTURES = GOLDENS / "checkpoints" / "llama-clip-spm" / "images"
SPECIALS = ["<|startoftext|>", "<|endoftext|>"]
SPLIT = r"""<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""
CONTEXT = 24

PROMPTS = [
    "What is shown in the picture?", "A red apple.", "a RED  apple\n on the table", "", "Où est le café ? 東京 🍎",
    "There are 2024 birds, aren't there?", "x", "one <|endoftext|> and another",
    "What is shown in the picture? Name the shapes, their colours and where each of them is, and what is behind them.",
]


def tokenizer(folder: pathlib.Path, template: bool) -> int:
    """CLIP's: lower case, one space for many, closed words; the special tokens are the last two.

    Returns their number.
    """
    t = Tokenizer(models.BPE(unk_token=SPECIALS[1], end_of_word_suffix="</w>", continuing_subword_prefix=""))
    t.normalizer = normalizers.Sequence([
        normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    t.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    t.train_from_iterator(small_tokenizers.CORPUS.split("\n"), trainers.BpeTrainer(
        vocab_size=420, initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False))
    model = json.loads(t.to_str())["model"]
    tokens = sorted(alphabet) + [c + "</w>" for c in alphabet]
    merges = [tuple(m) for m in model["merges"]]
    tokens += [a + b for a, b in merges if a + b not in tokens] + SPECIALS
    vocab = {token: i for i, token in enumerate(tokens)}
    t.model = models.BPE(vocab, merges, unk_token=SPECIALS[1], end_of_word_suffix="</w>", continuing_subword_prefix="")
    t.add_special_tokens(SPECIALS)
    start, end = ((token, vocab[token]) for token in SPECIALS)
    t.post_processor = (
        processors.TemplateProcessing(single=f"{start[0]} $A {end[0]}", pair=None, special_tokens=[start, end])
        if template else processors.RobertaProcessing(end, start, trim_offsets=False, add_prefix_space=False))
    folder.mkdir(parents=True, exist_ok=True)
    t.save(str(folder / "tokenizer.json"), pretty=False)
    config = dict(tokenizer_class="PreTrainedTokenizerFast", clean_up_tokenization_spaces=False, bos_token=SPECIALS[0],
                  eos_token=SPECIALS[1], pad_token=SPECIALS[1], unk_token=SPECIALS[1], model_max_length=CONTEXT)
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
    return len(vocab)


def legacy(folder: pathlib.Path) -> CLIPModel:
    """As the first published ones: eos_token_id 2, so that the highest id marks the end; quick_gelu; float32."""
    size = tokenizer(folder, template=False)
    text = CLIPTextConfig(vocab_size=size, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
                          num_attention_heads=4, max_position_embeddings=CONTEXT, eos_token_id=2, bos_token_id=0)
    vision = CLIPVisionConfig(hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=3,
                              image_size=28, patch_size=7)
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=20))


def newer(folder: pathlib.Path) -> CLIPModel:
    """eos_token_id as the tokenizer has it; exact gelu; other widths; float16 in the file."""
    size = tokenizer(folder, template=True)
    text = CLIPTextConfig(vocab_size=size, hidden_size=24, intermediate_size=56, num_hidden_layers=3,
                          num_attention_heads=2, max_position_embeddings=CONTEXT, eos_token_id=size - 1,
                          bos_token_id=size - 2, hidden_act="gelu")
    vision = CLIPVisionConfig(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
                              image_size=32, patch_size=8, hidden_act="gelu")
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=12))


def unit(x: torch.Tensor) -> list[float]:
    return [float(f"{value:.8g}") for value in (x / x.norm(dim=-1, keepdim=True))[0].tolist()]


@torch.no_grad()
def golden(folder: pathlib.Path) -> dict:
    model, info = CLIPModel.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")), info
    model.eval()
    plain, auto = Tokenizer.from_file(str(folder / "tokenizer.json")), AutoTokenizer.from_pretrained(folder)
    processor = CLIPImageProcessorPil.from_pretrained(folder)
    prompts = []
    for text in PROMPTS:
        ids = plain.encode(text).ids
        assert ids == auto.encode(text), text
        cut = auto(text, truncation=True, max_length=CONTEXT, return_tensors="pt")
        prompts.append(dict(text=text, ids=ids, cut=cut.input_ids[0].tolist(),
                            embedding=unit(model.get_text_features(**cut).pooler_output)))
    images = {}
    for path in sorted(PICTURES.iterdir()):
        pixels = processor(Image.open(path).convert("RGB"), return_tensors="pt").pixel_values
        images[path.name] = unit(model.get_image_features(pixel_values=pixels).pooler_output)
    return dict(context=CONTEXT, prompts=prompts, images=images)


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for seed, (name, make, side) in enumerate((("legacy", legacy, 28), ("newer", newer, 32)), start=7):
        folder = ROOT / name
        shutil.rmtree(folder, ignore_errors=True)
        model = make(folder)
        randomize(model, seed=seed)
        model.to(torch.float16 if name == "newer" else torch.float32).save_pretrained(folder)
        preprocessor(folder, "CLIPImageProcessor", side, side, CLIP)
        write_json(folder / "golden.json", golden(folder))
        print(name, sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()), "bytes")


if __name__ == "__main__":
    main()
