#!/usr/bin/env python3
"""Writes data/activations.f32: real activations of the embedded model, 384 tokens of 12 channels, float32, row by row.

    record_activations.py

Channels 0 to 5 are from the input of layer 1's attention (after its norm), 6 to 11 from the input of layer 1's fc2,
rectified, those that are zero least often and most often among them. Needs numpy, torch, transformers; run once.
"""
import pathlib

import numpy as np
import torch
from transformers import AutoTokenizer, OPTForCausalLM

here = pathlib.Path(__file__).parent
data = here.parents[1] / "examples/compress_opt/data"
model = OPTForCausalLM.from_pretrained(data / "opt-demo", torch_dtype=torch.float32).eval()
tokenizer = AutoTokenizer.from_pretrained(data / "opt-demo")
ids = tokenizer((data / "demo-text/calibration.txt").read_text(), return_tensors="pt").input_ids[0]

seen = {}
layer = model.model.decoder.layers[1]
layer.self_attn.q_proj.register_forward_pre_hook(lambda _, inputs: seen.setdefault("attention", []).append(inputs[0]))
layer.fc2.register_forward_pre_hook(lambda _, inputs: seen.setdefault("fc2", []).append(inputs[0]))
length = 128
with torch.no_grad():
    for window in range(3):
        model(ids[1000 + window * length:][:length][None])
attention, fc2 = (torch.cat([x.reshape(-1, x.shape[-1]) for x in seen[k]]).numpy() for k in ("attention", "fc2"))
zeros = (fc2 == 0).mean(0)
order = np.argsort(zeros, kind="stable")
live = order[zeros[order] < 0.9]
chosen = live[np.linspace(0, len(live) - 1, 6).astype(int)]
x = np.concatenate([attention[:, :6], fc2[:, chosen]], axis=1).astype("<f4")
print(x.shape, "zeros", (x == 0).mean(0).round(2))
x.tofile(here / "data/activations.f32")
