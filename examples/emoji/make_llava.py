"""Joins a LLaMA-type language model and a DINOv2 vision tower into a LLaVA checkpoint with an untrained projector.

    python make_llava.py LANGUAGE VISION OUT [--image-size 112] [--layer 9] [--dtype float16] [--seed 0]

LANGUAGE and VISION are Hugging Face folders; LANGUAGE has a tokenizer.json. `<image>` takes the place of a special
token that the language model never uses, so that the vocabulary keeps its size. README.md in this folder says where
the two models come from.
"""

import argparse
import json
import pathlib
import shutil

import torch
from transformers import AutoModel, LlamaForCausalLM, LlavaConfig, LlavaForConditionalGeneration

IMAGENET = dict(image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("language", type=pathlib.Path)
    parser.add_argument("vision", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--image-size", type=int, default=112, help="pixels; a multiple of the tower's patch size")
    parser.add_argument("--layer", type=int, default=9, help="hidden state of the tower that feeds the projector")
    parser.add_argument("--dtype", choices=["float32", "float16", "bfloat16"], default="float16")
    parser.add_argument("--unused-token", default="<empty_output>", help="special token that <image> replaces")
    parser.add_argument("--seed", type=int, default=0, help="of the projector's initial weights")
    return parser.parse_args()


def add_image_token(source: pathlib.Path, target: pathlib.Path, unused: str) -> int:
    """Copies the tokenizer with `unused` renamed to <image>; returns its id."""
    tokenizer = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    entry = next((token for token in tokenizer["added_tokens"] if token["content"] == unused), None)
    if entry is None:
        names = [token["content"] for token in tokenizer["added_tokens"]]
        raise SystemExit(f"{source}/tokenizer.json has no special token {unused}; choose --unused-token from {names}")
    entry["content"] = "<image>"
    vocabulary = tokenizer["model"]["vocab"]
    tokenizer["model"]["vocab"] = {"<image>" if token == unused else token: i for token, i in vocabulary.items()}
    (target / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    config = json.loads((source / "tokenizer_config.json").read_text())
    kept = {key: config[key] for key in ("bos_token", "eos_token", "pad_token", "unk_token") if key in config}
    made = dict(tokenizer_class="PreTrainedTokenizerFast", clean_up_tokenization_spaces=False)
    text = json.dumps(made | kept, indent=1)
    (target / "tokenizer_config.json").write_text(text + "\n")
    if (source / "chat_template.jinja").exists():
        shutil.copy(source / "chat_template.jinja", target)
    return entry["id"]


def load(kind, folder: pathlib.Path):
    """A model in float32; a tensor that is missing, left over or misshapen is an error."""
    model, report = kind.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    faults = [f"{what}: {sorted(map(str, keys))}" for what, keys in report.items() if keys]
    if faults:
        raise SystemExit(f"{folder}: " + "; ".join(faults))
    return model


def write_preprocessor(target: pathlib.Path, size: int) -> None:
    config = dict(image_processor_type="BitImageProcessor", do_convert_rgb=True, do_resize=True,
                  size=dict(shortest_edge=size), resample=3, do_center_crop=True,
                  crop_size=dict(height=size, width=size), do_rescale=True, rescale_factor=1 / 255, do_normalize=True)
    (target / "preprocessor_config.json").write_text(json.dumps(config | IMAGENET, indent=1) + "\n")


def size(tensor: torch.Tensor) -> float:
    return tensor.square().mean().sqrt().item()


@torch.no_grad()
def initialize(model: LlavaForConditionalGeneration, image_size: int, seed: int) -> None:
    """Normal weights, each layer scaled by what a picture of noise gives: in the end image features have the size (root
    mean square) of the text embeddings they stand among."""
    generator = torch.Generator().manual_seed(seed)
    projector, layer = model.model.multi_modal_projector, model.config.vision_feature_layer
    for linear in (projector.linear_1, projector.linear_2):
        linear.weight.copy_(torch.randn(linear.weight.shape, generator=generator))
        linear.bias.zero_()
    noise = torch.randn(1, 3, image_size, image_size, generator=generator)
    features = model.model.vision_tower(noise, output_hidden_states=True).hidden_states[layer][:, 1:]
    projector.linear_1.weight /= size(projector.linear_1(features))
    projector.linear_2.weight *= size(model.get_input_embeddings().weight) / size(projector(features))


def main() -> None:
    args = arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    image_token = add_image_token(args.language, args.out, args.unused_token)
    language, vision = load(LlamaForCausalLM, args.language), load(AutoModel, args.vision)
    side, rest = divmod(args.image_size, vision.config.patch_size)
    if rest:
        raise SystemExit(
            f"--image-size {args.image_size} is not a multiple of the patch size {vision.config.patch_size}")
    language.config._name_or_path = vision.config._name_or_path = ""
    model = LlavaForConditionalGeneration(LlavaConfig(
        text_config=language.config, vision_config=vision.config, image_token_index=image_token,
        image_seq_length=side * side, vision_feature_layer=args.layer, vision_feature_select_strategy="default",
        tie_word_embeddings=language.config.tie_word_embeddings))
    model.model.language_model.load_state_dict(language.model.state_dict())
    model.model.vision_tower.load_state_dict(vision.state_dict())
    model.lm_head.load_state_dict(language.lm_head.state_dict())
    initialize(model.eval(), args.image_size, args.seed)
    model.to(getattr(torch, args.dtype)).save_pretrained(args.out)
    write_preprocessor(args.out, args.image_size)
    print(f"{args.out}: {sum(p.numel() for p in model.parameters())} parameters, {side * side} image tokens, "
          f"<image> is token {image_token}")


if __name__ == "__main__":
    main()
