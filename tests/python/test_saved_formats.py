"""What compress_opt saves for other programs is read by them: the same weights to half precision, the same perplexity.

compressed-tensors reads its format through its own functions and through transformers; GPTQ checkpoints are read by
gptqmodel through transformers and optimum, where those are installed. (The C++ test save_format_test.cpp unpacks both
formats itself.)
"""
import importlib.util
import json
import math
import os
import pathlib
import subprocess
import tempfile
import unittest

import torch
from safetensors.torch import load_file
from tokenizers import ByteLevelBPETokenizer
from transformers import CompressedTensorsConfig, GPTQConfig, OPTForCausalLM

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "examples" / "compress_opt" / "data"
BUILD = pathlib.Path(os.environ["MIQ_BUILD_DIR"])
PROGRAM = BUILD / "examples" / "compress_opt" / "compress_opt"
EXPORTER = BUILD / "tests" / "examples" / "test_compress_opt_save_format"
WINDOWS = 20
MI_AS_OTHERS_STORE_IT = ["--methods", "mi", "--layout", "A", "--n_groups", "1", "--grid", "asymmetric",
                         "--scales", "float16"]
HAS = {name: importlib.util.find_spec(name) is not None for name in ("compressed_tensors", "gptqmodel", "optimum")}
NEEDS_COMPRESSED_TENSORS = unittest.skipUnless(HAS["compressed_tensors"], "compressed-tensors is not installed")
NEEDS_GPTQ = unittest.skipUnless(HAS["gptqmodel"] and HAS["optimum"], "gptqmodel or optimum is not installed")


def setUpModule():
    """Models of every width and kind of grid, each with what it stands for in NAME-expected."""
    global folder, exported
    folder = tempfile.TemporaryDirectory()
    exported = pathlib.Path(folder.name)
    subprocess.run([EXPORTER, "[.export]"], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "MIQ_EXPORT_DIR": str(exported)})


def tearDownModule():
    folder.cleanup()


def models(prefix):
    found = [path for path in sorted(exported.iterdir()) if path.name.startswith(prefix) and "expected" not in path.name]
    assert found
    return found


def expected_weights(path):
    """Every matrix of the layers as it was compressed."""
    tensors = load_file(f"{path}-expected/model.safetensors")
    return {name.removesuffix(".weight"): value for name, value in tensors.items()
            if ".layers." in name and value.dim() == 2}


def load_compressed_tensors(path, **how):
    return OPTForCausalLM.from_pretrained(path, dtype=torch.float32, **how).eval()


def load_gptq(path):
    # The kernel in plain PyTorch: others that gptqmodel would choose ask for group sizes of their own.
    config = GPTQConfig(bits=json.loads((path / "quantize_config.json").read_text())["bits"], backend="gptq_torch")
    return OPTForCausalLM.from_pretrained(path, quantization_config=config, device_map="cpu").eval()


@torch.no_grad()
def logits(model):
    return model(input_ids=torch.arange(3, 103)[None]).logits.float()


@torch.no_grad()
def perplexity(model, directory, text, windows):
    """exp of the mean over windows of the mean negative log likelihood of tokens 1 to context - 1."""
    tokenizer = ByteLevelBPETokenizer(str(directory / "vocab.json"), str(directory / "merges.txt"))
    stream = torch.tensor([2] + tokenizer.encode(text.read_text(encoding="utf-8")).ids)
    context = model.config.max_position_embeddings
    losses = []
    for i in range(min(windows, len(stream) // context)):
        ids = stream[i * context:(i + 1) * context][None]
        losses.append(torch.nn.functional.cross_entropy(model(input_ids=ids).logits[0, :-1].float(), ids[0, 1:]))
    return math.exp(torch.stack(losses).double().mean().item())


class SavedFormats(unittest.TestCase):
    def check_logits(self, model, path, tolerance):
        reference = logits(OPTForCausalLM.from_pretrained(f"{path}-expected", dtype=torch.float32).eval())
        # Against the spread of the logits: 11 bits of mantissa in every weight, and in sums where the kernel has them.
        self.assertLess((logits(model) - reference).abs().max() / reference.std(), tolerance)

    @NEEDS_COMPRESSED_TENSORS
    def test_compressed_tensors_unpacks_every_matrix(self):
        from compressed_tensors.compressors import BaseCompressor
        from compressed_tensors.quantization import QuantizationConfig
        compressor = BaseCompressor.get_value_from_registry("pack-quantized")
        for path in models("compressed-tensors"):
            with self.subTest(path.name):
                saved = load_file(path / "model.safetensors")
                config = QuantizationConfig.model_validate(
                    json.loads((path / "config.json").read_text())["quantization_config"])
                for name, expected in expected_weights(path).items():
                    scheme, = [one for one in config.config_groups.values()
                               if one.targets == ["Linear"] or name in one.targets]
                    state = {key.removeprefix(name + "."): value for key, value in saved.items()
                             if key.startswith(name + ".weight")}
                    found = compressor.decompress(state, scheme)["weight"]
                    self.assertTrue(torch.equal(found, expected.half()), name)

    @NEEDS_COMPRESSED_TENSORS
    def test_compressed_tensors_loads_in_transformers(self):
        for path in models("compressed-tensors"):
            config = json.loads((path / "config.json").read_text())["quantization_config"]
            # transformers 5.23 dequantises all matrices by one group of the configuration.
            if len(config["config_groups"]) > 1:
                continue
            with self.subTest(path.name):
                model = load_compressed_tensors(path, quantization_config=CompressedTensorsConfig(dequantize=True))
                for name, expected in expected_weights(path).items():
                    self.assertTrue(torch.equal(model.get_submodule(name).weight, expected.half().float()), name)
                self.check_logits(model, path, 0.02)
                # Without `dequantize` the codes stay packed. compressed-tensors 0.20 expects zero points unpacked there,
                # so that only symmetric grids can be read in this way.
                if config["config_groups"]["group_0"]["weights"]["symmetric"]:
                    self.check_logits(load_compressed_tensors(path), path, 0.02)

    @NEEDS_GPTQ
    def test_gptq_loads_in_gptqmodel(self):
        for path in models("gptq"):
            with self.subTest(path.name):
                model = load_gptq(path)
                for name, expected in expected_weights(path).items():
                    found = model.get_submodule(name).dequantize_weight().T
                    self.assertTrue(torch.equal(found, expected.half()), name)
                self.check_logits(model, path, 0.05)

    def check_perplexity(self, how, load, tolerance):
        with tempfile.TemporaryDirectory() as directory:
            directory = pathlib.Path(directory)
            subprocess.run(
                [PROGRAM, "--nsamples", "16", "--eval_windows", str(WINDOWS), "--save", directory / "saved", "--report",
                 directory / "report", *how], check=True, stdout=subprocess.DEVNULL)
            report = json.loads((directory / "report" / "report.json").read_text())
            (text, expected), = report["methods"][0]["perplexity"].items()
            model = load(directory / "saved")
            measured = perplexity(model, directory / "saved", DATA / "demo-text" / "evaluation.txt", WINDOWS)
            self.assertAlmostEqual(measured / expected, 1, delta=tolerance)

    @NEEDS_COMPRESSED_TENSORS
    def test_compressed_tensors_has_the_reported_perplexity(self):
        for method in (["--methods", "sparsegpt", "--wbits", "3"], MI_AS_OTHERS_STORE_IT):
            with self.subTest(method):
                self.check_perplexity(
                    [*method, "--save_format", "compressed-tensors"], lambda path: load_compressed_tensors(
                        path, quantization_config=CompressedTensorsConfig(dequantize=True)), 1e-3)

    @NEEDS_GPTQ
    def test_gptq_has_the_reported_perplexity(self):
        for method in (["--methods", "sparsegpt", "--wbits", "3"], MI_AS_OTHERS_STORE_IT):
            with self.subTest(method):
                self.check_perplexity([*method, "--save_format", "gptq"], load_gptq, 2e-3)


if __name__ == "__main__":
    unittest.main()
