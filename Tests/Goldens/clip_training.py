"""Writes clip_training.json: CLIP's contrastive loss and its gradients by transformers and PyTorch in float64.

    python Tests/Goldens/clip_training.py

It reads the checkpoints of `clip/` and the pictures of `checkpoints/`.
"""

import json
import pathlib

import torch
from PIL import Image
from tokenizers import Tokenizer
from transformers import CLIPModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

GOLDENS = pathlib.Path(__file__).resolve().parent
PICTURES = GOLDENS / "checkpoints" / "llama-clip-spm" / "images"
TEXTS = ["A red apple.", "What is shown in the picture?", "x", "a green pear on the table", "two birds"]


def golden(folder: pathlib.Path) -> dict:
    model = CLIPModel.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").train()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding(pad_id=0)
    encodings = tokenizer.encode_batch(TEXTS)
    names = sorted(path.name for path in PICTURES.iterdir())[:len(TEXTS)]
    pixels = CLIPImageProcessorPil.from_pretrained(folder)(
        [Image.open(PICTURES / name).convert("RGB") for name in names], return_tensors="pt").pixel_values
    out = model(
        input_ids=torch.tensor([e.ids for e in encodings]),
        attention_mask=torch.tensor([e.attention_mask for e in encodings]),
        pixel_values=pixels.double(), return_loss=True)
    out.loss.backward()
    gradients = {}
    for name, tensor in sorted(model.named_parameters()):
        g = tensor.grad.flatten()
        # A fixed mixture of all elements: any one that is wrong changes it.
        weights = torch.cos(torch.arange(len(g), dtype=torch.float64))
        gradients[name] = [float(f"{v:.10g}") for v in (g.norm().item(), (g * weights).sum().item())]
    return dict(texts=TEXTS, images=names, loss=float(f"{out.loss.item():.10g}"), gradients=gradients)


def main() -> None:
    torch.set_num_threads(1)
    result = {name: golden(GOLDENS / "clip" / name) for name in ("legacy", "newer")}
    (GOLDENS / "clip_training.json").write_text(json.dumps(result, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
