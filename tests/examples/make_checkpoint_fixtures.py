"""Writes data/checkpoints: tiny OPT models with random weights in the layouts that checkpoints come in, and the logits
that transformers computes from them in float32.

Needs torch, transformers and safetensors. usage: make_checkpoint_fixtures.py  (writes beside itself)
"""
import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file
from transformers import OPTConfig, OPTForCausalLM

HERE = pathlib.Path(__file__).parent / "data" / "checkpoints"
IDS = [2, 17, 5, 30, 0, 1, 9, 9, 23, 31, 4]


def make(seed, **changes):
    torch.manual_seed(seed)
    sizes = dict(vocab_size=32, hidden_size=12, num_hidden_layers=2, ffn_dim=20, num_attention_heads=3,
                 max_position_embeddings=16, word_embed_proj_dim=12, dropout=0.0)
    model = OPTForCausalLM(OPTConfig(**{**sizes, **changes})).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "layer_norm.weight" in name:
                weight.copy_(1 + 0.3 * torch.randn_like(weight))
            else:
                weight.copy_(0.4 * torch.randn_like(weight))
    return model


def write(name, model, dtype, save, tensors=None):
    """Rounds the weights to dtype, saves them with save(directory, state dictionary) and notes the logits."""
    directory = HERE / name
    directory.mkdir(parents=True)
    model.to(dtype)
    state = {key: value.detach().clone() for key, value in model.state_dict().items()}
    model.config.dtype = dtype
    model.config.to_json_file(directory / "config.json", use_diff=False)
    save(directory, state)
    with torch.no_grad():
        logits = model.float()(input_ids=torch.tensor([IDS])).logits[0]
    return [[round(x, 5) for x in row] for row in logits.tolist()]


def rename(state, old, new):
    return {new + key[len(old):] if key.startswith(old) else key: value for key, value in state.items()}


def torch_file(directory, state):
    torch.save(state, directory / "pytorch_model.bin")


def torch_parameters(directory, state):
    """Parameters, protocol 4, without the tied head, and names without model."""
    state = {key: torch.nn.Parameter(value) for key, value in rename(state, "model.", "").items() if key != "lm_head.weight"}
    torch.save(state, directory / "pytorch_model.bin", pickle_protocol=4)


def torch_views(directory, state):
    """Two shards; in the first a transposed tensor, and two that are views of one storage; a counter of integers."""
    state["model.decoder.layers.0.fc1.weight"] = state["model.decoder.layers.0.fc1.weight"].t().contiguous().t()
    both = torch.cat([state[f"model.decoder.layers.0.fc{i}.bias"] for i in (1, 2)])
    first = state["model.decoder.layers.0.fc1.bias"].numel()
    state["model.decoder.layers.0.fc1.bias"] = both[:first]
    state["model.decoder.layers.0.fc2.bias"] = both[first:]
    state["decoder.version"] = torch.tensor([3])
    shards = [{}, {}]
    for key, value in state.items():
        shards["layers.1" in key][key] = value
    names = [f"pytorch_model-0000{i + 1}-of-00002.bin" for i in range(2)]
    for shard, name in zip(shards, names):
        torch.save(shard, directory / name)
    index = {key: name for shard, name in zip(shards, names) for key in shard}
    json.dump({"metadata": {}, "weight_map": index}, open(directory / "pytorch_model.bin.index.json", "w"), indent=0)


def safetensors_file(directory, state):
    state.pop("lm_head.weight")
    save_file(state, directory / "model.safetensors", metadata={"format": "pt"})


def safetensors_shards(directory, state):
    """Names without any prefix."""
    state = rename(state, "model.decoder.", "")
    shards = [{}, {}]
    for key, value in state.items():
        shards["layers.0" in key][key] = value
    names = [f"model-0000{i + 1}-of-00002.safetensors" for i in range(2)]
    for shard, name in zip(shards, names):
        save_file(shard, directory / name)
    index = {key: name for shard, name in zip(shards, names) for key in shard}
    json.dump({"metadata": {}, "weight_map": index}, open(directory / "model.safetensors.index.json", "w"), indent=0)


shutil.rmtree(HERE, ignore_errors=True)
expected = {
    # OPT-350m's layout
    "torch-post-norm-projected": write("torch-post-norm-projected",
                                       make(1, do_layer_norm_before=False, word_embed_proj_dim=6), torch.float32,
                                       torch_file),
    "torch-float16-own-head": write("torch-float16-own-head", make(2, tie_word_embeddings=False), torch.float16,
                                    torch_file),
    "torch-bfloat16-parameters": write("torch-bfloat16-parameters", make(3, _remove_final_layer_norm=True),
                                       torch.bfloat16, torch_parameters),
    "torch-sharded-views": write("torch-sharded-views", make(4), torch.float32, torch_views),
    "safetensors-bfloat16-plain": write("safetensors-bfloat16-plain",
                                        make(5, activation_function="gelu", enable_bias=False,
                                             layer_norm_elementwise_affine=False), torch.bfloat16, safetensors_file),
    "safetensors-sharded-projected": write("safetensors-sharded-projected",
                                           make(6, word_embed_proj_dim=8, tie_word_embeddings=False), torch.float16,
                                           safetensors_shards),
}
with open(HERE / "logits.json", "w") as file:
    json.dump({"ids": IDS, "logits": expected}, file)
