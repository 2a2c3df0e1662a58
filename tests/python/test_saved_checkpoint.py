"""What compress_opt saves is a checkpoint that transformers loads, with the perplexity that compress_opt reports."""
import json
import math
import os
import pathlib
import subprocess
import tempfile
import unittest

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import OPTForCausalLM

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "examples" / "compress_opt" / "data"
PROGRAM = pathlib.Path(os.environ["MIQ_BUILD_DIR"]) / "examples" / "compress_opt" / "compress_opt"
WINDOWS = 40


@torch.no_grad()
def perplexity(model, directory, text, windows):
    """exp of the mean over windows of the mean negative log likelihood of tokens 1 to context - 1."""
    tokenizer = ByteLevelBPETokenizer(str(directory / "vocab.json"), str(directory / "merges.txt"))
    stream = torch.tensor([2] + tokenizer.encode(text.read_text(encoding="utf-8")).ids)
    context = model.config.max_position_embeddings
    losses = []
    for i in range(min(windows, len(stream) // context)):
        ids = stream[i * context:(i + 1) * context][None]
        logits = model(input_ids=ids).logits[0, :-1]
        losses.append(torch.nn.functional.cross_entropy(logits, ids[0, 1:]).double())
    return math.exp(torch.stack(losses).mean().item())


class SavedCheckpoint(unittest.TestCase):
    def test_each_method_loads_in_transformers_with_the_reported_perplexity(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            methods = ["dense", "sparsegpt", "enhanced", "mi"]
            subprocess.run(
                [PROGRAM, "--methods", ",".join(methods), "--nsamples", "16", "--eval_windows", str(WINDOWS),
                 "--save", folder / "saved", "--report", folder / "report"],
                check=True, stdout=subprocess.DEVNULL)
            report = json.loads((folder / "report" / "report.json").read_text())
            entries = {entry["name"]: entry for entry in report["methods"]}
            self.assertEqual(sorted(entries), sorted(methods))
            for name in methods:
                with self.subTest(method=name):
                    directory = folder / "saved" / name
                    model = OPTForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
                    (text, expected), = entries[name]["perplexity"].items()
                    measured = perplexity(model, directory, DATA / "demo-text" / "evaluation.txt", WINDOWS)
                    self.assertAlmostEqual(measured / expected, 1, delta=1e-4)
                    weights = [m.weight for m in model.model.decoder.layers.modules() if isinstance(m, torch.nn.Linear)]
                    zeros = sum(int((w == 0).sum()) for w in weights) / sum(w.numel() for w in weights)
                    self.assertGreaterEqual(zeros, entries[name]["sparsity"] - 1e-9)


if __name__ == "__main__":
    unittest.main()
