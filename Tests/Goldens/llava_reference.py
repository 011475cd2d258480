"""What transformers and Pillow compute for a LLaVA checkpoint folder: sequences, pixels, log-probabilities."""

import json
import pathlib

import torch
from PIL import Image
from tokenizers import Tokenizer
from transformers import AutoTokenizer, LlavaForConditionalGeneration
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

import keyed_random

TEMPLATES = {
    "llava-1.5": "USER: <image>\n{prompt} ASSISTANT:",
    "chatml": "<|im_start|>user\n<image>\n{prompt}<|im_end|>\n<|im_start|>assistant\n",
}


class Reference:
    """A checkpoint folder in float32.

    `prompt` and `response` give token ids, `log_probability` a differentiable sum.
    """

    def __init__(self, folder: pathlib.Path, template: str):
        self.folder, self.template = pathlib.Path(folder), TEMPLATES[template]
        self.model, info = LlavaForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
        assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")), info
        self.model.eval()
        self.tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        self.auto_tokenizer = AutoTokenizer.from_pretrained(folder)
        kind = json.loads((self.folder / "preprocessor_config.json").read_text())["image_processor_type"]
        processor = SiglipImageProcessorPil if "Siglip" in kind else CLIPImageProcessorPil
        self.processor = processor.from_pretrained(folder)
        config = self.model.config
        self.image_token, self.eos = config.image_token_id, self.auto_tokenizer.eos_token_id
        size = (self.processor.crop_size if self.processor.do_center_crop else self.processor.size)["height"]
        vision = config.vision_config
        class_token = config.vision_feature_select_strategy == "full" and "siglip" not in vision.model_type
        self.image_tokens = (size // vision.patch_size) ** 2 + class_token
        self.cache = {}

    def encode(self, text: str, special: bool) -> list[int]:
        ids = self.tokenizer.encode(text, add_special_tokens=special).ids
        assert ids == self.auto_tokenizer.encode(text, add_special_tokens=special), text
        return ids

    def prompt(self, text: str) -> list[int]:
        ids = self.encode(self.template.replace("{prompt}", text), special=True)
        return [t for i in ids for t in ([i] * self.image_tokens if i == self.image_token else [i])]

    def response(self, text: str) -> list[int]:
        return self.encode(text, special=False) + [self.eos]

    def pixels(self, image: str | tuple[str, str, str]) -> torch.Tensor:
        """(1, 3, S, S) of a file, or of ("crop" or "noise", file, group id) with the seed 0."""
        if image not in self.cache:
            change, file, group = ("", image, "") if isinstance(image, str) else image
            picture = Image.open(self.folder / file).convert("RGB")
            if change == "crop":
                picture = keyed_random.crop(picture, 0, group)
            pixels = self.processor(picture, return_tensors="pt").pixel_values.float()
            self.cache[image] = keyed_random.noised(pixels, 0, group) if change == "noise" else pixels
        return self.cache[image]

    def logits(self, prompt: list[int], response: list[int], image: str, model=None) -> torch.Tensor:
        """(T, V): row t predicts response token t."""
        ids = torch.tensor([prompt + response])
        out = (model or self.model)(input_ids=ids, pixel_values=self.pixels(image), attention_mask=torch.ones_like(ids))
        return out.logits[0, len(prompt) - 1 : -1]

    def token_log_probabilities(self, prompt: list[int], response: list[int], image: str, model=None) -> torch.Tensor:
        """(T,)"""
        logits = self.logits(prompt, response, image, model)
        return logits.log_softmax(-1).gather(1, torch.tensor(response)[:, None])[:, 0]

    def log_probability(self, prompt: list[int], response: list[int], image: str, model=None) -> torch.Tensor:
        return self.token_log_probabilities(prompt, response, image, model).sum()

    def sequences(self, group: dict, negatives: int | None = None) -> dict[str, tuple[list[int], list[int], str]]:
        """Name of a sequence → prompt, response, image, for the first `negatives` negatives (all by default)."""
        prompt, chosen = self.prompt(group["prompt"]), self.response(group["chosen"])
        result = {"chosen": (prompt, chosen, group["image"])}
        if "rejected" in group:
            result["rejected"] = (prompt, self.response(group["rejected"]), group["image"])
        for i, negative in enumerate(group.get("negatives", [])[:negatives]):
            result[f"negative{i}"] = (prompt, chosen, negative["image"])
        return result

    def groups(self) -> list[dict]:
        return [json.loads(line) for line in (self.folder / "groups.jsonl").read_text(encoding="utf-8").splitlines()]


def number(value) -> float:
    return float(f"{float(value):.9g}")


def samples(tensor: torch.Tensor, count: int = 4) -> list[list]:
    """[flat index, value] pairs: the entry of the largest magnitude, then entries spread over the tensor."""
    flat = tensor.detach().reshape(-1).double()
    picks = [int(flat.abs().argmax())] + [(flat.numel() * (2 * i + 1)) // (2 * count) for i in range(count)]
    return [[i, number(flat[i])] for i in dict.fromkeys(picks)]


def summary(tensor: torch.Tensor, count: int = 4) -> dict:
    return dict(shape=list(tensor.shape), norm=number(tensor.detach().double().norm()), samples=samples(tensor, count))


def write_json(path: pathlib.Path, value: dict) -> None:
    """One line per entry of the outermost lists and objects: compact, and a diff still shows what changed."""
    def lines(item, depth):
        if depth == 0 or not isinstance(item, (dict, list)) or not item:
            return json.dumps(item, ensure_ascii=False, separators=(",", ":"))
        if isinstance(item, dict):
            inner = ",\n".join(f"{json.dumps(key)}:{lines(x, depth - 1)}" for key, x in item.items())
            return "{" + inner + "}"
        return "[" + ",\n".join(lines(x, depth - 1) for x in item) + "]"
    path.write_text(lines(value, 2) + "\n", encoding="utf-8")
