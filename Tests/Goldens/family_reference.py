"""What transformers and Pillow compute for a checkpoint of `families/`, where every picture has its own shape."""

import hashlib
import json
import pathlib
import types

import torch
import transformers
from PIL import Image
from tokenizers import Tokenizer
from transformers import AutoModelForImageTextToText, AutoTokenizer
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.idefics3.processing_idefics3 import Idefics3Processor
from transformers.models.llava.processing_llava import LlavaProcessor
from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.smolvlm import processing_smolvlm
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil
from transformers.processing_utils import ProcessorMixin

import keyed_random
from llava_reference import TEMPLATES as LLAVA_TEMPLATES
from llava_reference import Reference, number, samples, summary

# `<image>` stands for the model's image token, whatever its name.
TEMPLATES = LLAVA_TEMPLATES | {
    "qwen2.5-vl": "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
                  "<|vision_start|><image><|vision_end|>{prompt}<|im_end|>\n<|im_start|>assistant\n",
    "smolvlm": "<|im_start|>User:<image>{prompt}<end_of_utterance>\nAssistant:",
}
# What the chat template gives for a message without a picture.
WITHOUT_IMAGE = {
    "chatml": TEMPLATES["chatml"].replace("<image>\n", ""),
    "qwen2.5-vl": TEMPLATES["qwen2.5-vl"].replace("<|vision_start|><image><|vision_end|>", ""),
    "smolvlm": TEMPLATES["smolvlm"].replace(":<image>", ": "),
}
# SmolVLM's chat template writes "Assistant: text": the blank belongs to the response.
BEFORE_RESPONSE = {"smolvlm": " "}

IMAGE_PROCESSORS = {
    "qwen2_5_vl": Qwen2VLImageProcessorPil, "qwen2_vl": Qwen2VLImageProcessorPil, "smolvlm": SmolVLMImageProcessorPil,
    "idefics3": Idefics3ImageProcessorPil, "llava": SiglipImageProcessorPil,
}


def make_processor(kind: str, folder: pathlib.Path, image_processor, tokenizer):
    """The model's own processor around the Pillow image processor, without the one for videos, which needs
    torchvision."""
    ProcessorMixin.check_argument_for_proper_class = lambda *_: None
    processing_smolvlm.num2words = str  # A package that only videos' captions need.
    template = tokenizer.chat_template
    if (folder / "chat_template.jinja").exists():
        template = (folder / "chat_template.jinja").read_text()
    path = folder / "processor_config.json"
    settings = json.loads(path.read_text()) if path.exists() else {}
    no_video = types.SimpleNamespace(num_frames=1, fps=1)
    if kind == "llava":
        return LlavaProcessor(image_processor, tokenizer, chat_template=template, patch_size=settings["patch_size"],
                              vision_feature_select_strategy=settings["vision_feature_select_strategy"])
    if kind == "idefics3":
        return Idefics3Processor(image_processor, tokenizer, settings["image_seq_len"], chat_template=template)
    if kind == "smolvlm":
        return processing_smolvlm.SmolVLMProcessor(image_processor, tokenizer, no_video, settings["image_seq_len"],
                                                   chat_template=template)
    family = Qwen2VLProcessor if kind == "qwen2_vl" else Qwen2_5_VLProcessor
    return family(image_processor, tokenizer, no_video, chat_template=template)


class FamilyReference(Reference):
    """A checkpoint folder in float32.

    Sequences name their prompt without placeholders, with one image token: how many rows it becomes depends on the
    picture, and `logits` expands it for the picture it is given.
    """

    def __init__(self, folder: pathlib.Path, template: str, dtype: torch.dtype = torch.float32):
        self.folder, self.template_name = pathlib.Path(folder), template
        self.data = self.folder.parent
        self.model, info = AutoModelForImageTextToText.from_pretrained(
            folder, dtype=dtype, attn_implementation="eager", output_loading_info=True)
        assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")), info
        self.model.eval()
        self.kind = self.model.config.model_type
        self.is_qwen = self.kind in ("qwen2_5_vl", "qwen2_vl")
        self.tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        self.auto_tokenizer = AutoTokenizer.from_pretrained(folder)
        image_processor = IMAGE_PROCESSORS[self.kind].from_pretrained(folder)
        self.processor = make_processor(self.kind, self.folder, image_processor, self.auto_tokenizer)
        self.image_token, self.eos = self.model.config.image_token_id, self.auto_tokenizer.eos_token_id
        self.cache, self.checked = {}, set()

    def picture(self, image: str | tuple[str, str, str]) -> Image.Image:
        """A file, or ("crop", file, group id): its crop with the seed 0. `processed` adds noise."""
        change, file, group = ("", image, "") if isinstance(image, str) else image
        picture = Image.open(self.data / file).convert("RGB")
        return keyed_random.crop(picture, 0, group) if change == "crop" else picture

    def processed(self, image) -> dict:
        """Of a file, or of ("crop" or "noise", file, group id) with the seed 0."""
        if image not in self.cache and image[0] == "noise":
            out = self.processed(image[1])
            noised = self.noised_cells(image) if self.is_qwen else keyed_random.noised(
                out["pixel_values"], 0, image[2])
            self.cache[image] = out | dict(pixel_values=noised)
        if image not in self.cache:
            # Idefics3 and SmolVLM: the processor of text and picture asks for rows and columns, here too.
            extra = {} if self.is_qwen or self.kind == "llava" else dict(return_row_col_info=True)
            out = self.processor.image_processor(self.picture(image), return_tensors="pt", **extra)
            self.cache[image] = {key: value for key, value in out.items()}
        return self.cache[image]

    def noised_cells(self, image: tuple[str, str, str]) -> torch.Tensor:
        """Patches × 1176. Noise belongs to the picture, 3 × height × width, which stands in both frames of a patch."""
        pixels, (rows, columns) = self.pixels(image[1]), self.grid(image[1])
        frame = pixels.view(rows // 2, columns // 2, 2, 2, 3, 2, 14, 14)[..., 0, :, :]
        noised = keyed_random.noised(frame.permute(4, 0, 2, 5, 1, 3, 6), 0, image[2]).permute(1, 4, 2, 5, 0, 3, 6)
        return torch.stack([noised, noised], 5).reshape(pixels.shape)

    def pixels(self, image) -> torch.Tensor:
        """Qwen: patches × 1176; SmolVLM and Idefics3: tiles × 3 × M × M; LLaVA: 3 × S × S."""
        pixels = self.processed(image)["pixel_values"]
        return pixels if self.is_qwen else pixels[0]

    def grid(self, image) -> list[int]:
        """Rows and columns: of patches (Qwen, LLaVA), of tiles (SmolVLM and Idefics3; 0, 0 for one that is alone)."""
        out = self.processed(image)
        if self.is_qwen:
            return out["image_grid_thw"][0, 1:].tolist()
        if self.kind == "llava":
            side = out["pixel_values"].shape[-1] // self.model.config.vision_config.patch_size
            return [side, side]
        return [int(out["rows"][0][0]), int(out["cols"][0][0])]

    def model_inputs(self, ids: list[int], image) -> dict:
        ids = torch.tensor([ids])
        inputs = dict(input_ids=ids, attention_mask=torch.ones_like(ids))
        if image is not None:
            inputs["pixel_values"] = self.processed(image)["pixel_values"].to(self.model.dtype)
        if self.is_qwen:
            # Without it the model numbers the rows 0, 1, 2 … and says nothing.
            inputs["mm_token_type_ids"] = (ids == self.image_token).int()
            if image is not None:
                inputs["image_grid_thw"] = self.processed(image)["image_grid_thw"]
        return inputs

    def features(self, image) -> torch.Tensor:
        """Rows × hidden size of the language model."""
        inputs = self.model_inputs([self.image_token], image)
        keys = [key for key in ("pixel_values", "image_grid_thw") if key in inputs]
        out = self.model.get_image_features(**{key: inputs[key] for key in keys}).pooler_output
        return torch.cat(list(out)).reshape(-1, self.model.config.text_config.hidden_size)

    def prompt(self, text: str) -> list[int]:
        """With one image token, which `expanded` replaces."""
        before, after = TEMPLATES[self.template_name].split("<image>")
        mark = self.tokenizer.id_to_token(self.image_token)
        return self.encode((before + mark + after).replace("{prompt}", text), special=True)

    def expanded(self, prompt: list[int], image) -> list[int]:
        """What the model's processor makes of the image token."""
        place = prompt.index(self.image_token)
        text = self.processor.replace_image_token(self.processed(image) | dict(
            pixel_values=self.processed(image)["pixel_values"]), 0)
        return prompt[:place] + self.encode(text, special=False) + prompt[place + 1:]

    def check_prompt(self, text: str, image: str | None) -> list[int]:
        """The ids of a prompt about `image`, once compared with those of chat template and processor."""
        template = WITHOUT_IMAGE[self.template_name] if image is None else TEMPLATES[self.template_name]
        picture = [] if image is None else [dict(type="image")]
        message = dict(role="user", content=picture + [dict(type="text", text=text)])
        rendered = self.processor.apply_chat_template([message], tokenize=False, add_generation_prompt=True)
        mark = self.tokenizer.id_to_token(self.image_token)
        assert rendered == template.replace("<image>", mark).replace("{prompt}", text), rendered
        if image is None:
            ids = self.encode(rendered, special=True)
            assert ids == self.auto_tokenizer(rendered)["input_ids"]
            return ids
        ids = self.expanded(self.prompt(text), image)
        out = self.processor(text=[rendered], images=[self.picture(image)], return_tensors="pt")
        assert ids == out["input_ids"][0].tolist(), (text, image)
        assert torch.equal(out["pixel_values"], self.processed(image)["pixel_values"])
        if self.is_qwen:
            assert torch.equal(out["mm_token_type_ids"], (out["input_ids"] == self.image_token).int())
        return ids

    def response(self, text: str) -> list[int]:
        return self.encode(BEFORE_RESPONSE.get(self.template_name, "") + text, special=False) + [self.eos]

    def logits(self, prompt: list[int], response: list[int], image, model=None) -> torch.Tensor:
        prompt = self.expanded(prompt, image)
        out = (model or self.model)(**self.model_inputs(prompt + response, image))
        return out.logits[0, len(prompt) - 1 : -1]

    def groups(self) -> list[dict]:
        return [json.loads(line) for line in (self.data / "groups.jsonl").read_text(encoding="utf-8").splitlines()]

    def positions(self, ids: list[int], image) -> list[list[int]]:
        """Qwen's three positions of every row of a prompt: of time, height and width."""
        inputs = self.model_inputs(ids, image)
        return self.model.model.get_rope_index(
            inputs["input_ids"], inputs["mm_token_type_ids"], inputs["image_grid_thw"])[0][:, 0].tolist()


def sha256(pixels: torch.Tensor) -> str:
    return hashlib.sha256(pixels.float().contiguous().numpy().astype("<f4").tobytes()).hexdigest()


def golden(reference: FamilyReference) -> dict:
    groups, images = [], {}
    for group in reference.groups():
        sequences = reference.sequences(group)
        pictures = [group["image"]] + [negative["image"] for negative in group.get("negatives", [])]
        row = dict(id=group["id"], prompts=[reference.check_prompt(group["prompt"], image) for image in pictures])
        row |= {name: sequences[name][1] for name in ("chosen", "rejected") if name in sequences}
        row["logps"] = {name: number(reference.log_probability(*s)) for name, s in sequences.items()}
        groups.append(row)
        for image in pictures:
            pixels, features = reference.pixels(image), reference.features(image)
            images[image] = dict(size=list(reference.picture(image).size), grid=reference.grid(image),
                                 pixels=summary(pixels, 8) | dict(sha256=sha256(pixels)),
                                 features=summary(features, 8))
    first = reference.groups()[1]
    prompt, response, image = reference.sequences(first)["chosen"]
    logits = reference.logits(prompt, response, image)
    rows = [dict(token=t, samples=samples(logits[t], 8)) for t in (0, len(response) - 1)]
    result = dict(template=TEMPLATES[reference.template_name], template_name=reference.template_name,
                  image_token_id=reference.image_token, eos_token_id=reference.eos, groups=groups,
                  images=dict(sorted(images.items())), logits=dict(group=first["id"], sequence="chosen", rows=rows))
    if reference.is_qwen:
        result["positions"] = dict(group=first["id"], image=image, rows=reference.positions(
            reference.expanded(prompt, image), image))
    return result
