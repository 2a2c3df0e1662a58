#!/usr/bin/env python3
"""SparseGPT in PyTorch: the peer that miq is timed against.

Written from the paper (Frantar and Alistarh 2023, "SparseGPT: Massive Language Models Can Be Accurately Pruned in
One-Shot", algorithm 1 and the joint variant of its appendix), in the shape that PyTorch users would write and run:
column blocks of 128, inside a block column by column, the rest by one matrix product for each block.

As a module: `hessian_factor`, `joint_sweep`, `compress_opt_model`. As a program: compresses a Hugging Face OPT directory
and prints one JSON object with seconds per phase and the loss of every matrix.

Conventions: H = 2/windows * sum x x^T, as the public Python implementation has it (miq divides by tokens: its losses are
smaller by the window's length), so that the 1 that stands on the diagonal for a dead column weighs the same in the mean
diagonal, of which damping is a share; the mask of a block takes the floor(sparsity * size) smallest scores w^2 / U_jj^2;
one asymmetric min/max grid per output row, taken from the original weights; token stream = </s> and the text; calibration
windows evenly spread over it.
"""
import argparse
import contextlib
import json
import pathlib
import sys
import time

try:
    import torch
except ImportError:
    sys.exit("pytorch_sparsegpt.py: the Python package torch is missing; `pip install torch` (a CPU build will do)")

UNQUANTIZED = 16  # as many bits or more: weights are pruned only


def hessian_factor(hessian, damping=0.01):
    """Upper triangular U with U^T U = (H + damping * mean(diag H) * I)^-1, and which columns are dead."""
    hessian = hessian.clone()
    diagonal = hessian.diagonal()
    dead = diagonal == 0
    diagonal[dead] = 1
    diagonal += damping * diagonal.mean()
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian))
    return torch.linalg.cholesky(inverse, upper=True), dead


class RowGrid:
    """Asymmetric min/max grid of `bits` bits for every output row; its range contains 0."""

    def __init__(self, weights, bits):
        low = weights.amin(1).clamp(max=0)
        high = weights.amax(1).clamp(min=0)
        flat = low == high
        low[flat], high[flat] = -1, 1
        self.largest = 2**bits - 1
        self.scale = (high - low) / self.largest
        self.zero = torch.round(-low / self.scale)

    def round(self, column):
        code = torch.clamp(torch.round(column / self.scale) + self.zero, 0, self.largest)
        return self.scale * (code - self.zero)


def joint_sweep(weights, factor, sparsity, bits, block=128, transposed=False):
    """Prunes and quantizes `weights` [rows, columns] in one sweep over the columns. Returns them and the loss.

    `transposed` does the same arithmetic on a transposed copy, where columns are contiguous: what a careful PyTorch user
    can still gain. Without it the layout is the published one.
    """
    grid = RowGrid(weights, bits) if bits < UNQUANTIZED else None
    sweep = _sweep_transposed if transposed else _sweep_as_published
    return sweep(weights, factor, sparsity, grid, block)


def _block_mask(scores, sparsity):
    """The floor(sparsity * size) smallest scores (more only where the largest of them is tied)."""
    count = int(sparsity * scores.numel())
    if count == 0:
        return torch.zeros_like(scores, dtype=torch.bool)
    return scores <= torch.kthvalue(scores.flatten(), count).values


def _sweep_as_published(weights, factor, sparsity, grid, block):
    weights = weights.clone()
    columns = weights.shape[1]
    loss = torch.zeros(weights.shape[0], device=weights.device)
    for begin in range(0, columns, block):
        end = min(begin + block, columns)
        work = weights[:, begin:end].clone()
        local = factor[begin:end, begin:end]
        result = torch.zeros_like(work)
        errors = torch.zeros_like(work)
        pruned = _block_mask((work / local.diagonal()) ** 2, sparsity)
        for j in range(end - begin):
            column = work[:, j]
            kept = column.clone()
            kept[pruned[:, j]] = 0
            if grid is not None:
                kept = grid.round(kept)
            error = (column - kept) / local[j, j]
            loss += error**2 / 2
            work[:, j:] -= torch.outer(error, local[j, j:])
            result[:, j] = kept
            errors[:, j] = error
        weights[:, begin:end] = result
        weights[:, end:] -= errors @ factor[begin:end, end:]
    return weights, loss.sum().item()


def _sweep_transposed(weights, factor, sparsity, grid, block):
    work = weights.T.contiguous()
    columns = work.shape[0]
    loss = torch.zeros(work.shape[1], device=work.device)
    for begin in range(0, columns, block):
        end = min(begin + block, columns)
        local = factor[begin:end, begin:end]
        errors = torch.empty_like(work[begin:end])
        pruned = _block_mask((work[begin:end] / local.diagonal()[:, None]) ** 2, sparsity)
        for j in range(end - begin):
            column = work[begin + j]
            kept = torch.where(pruned[j], 0, column)
            if grid is not None:
                kept = grid.round(kept)
            torch.div(column - kept, local[j, j], out=errors[j])
            loss += errors[j] ** 2 / 2
            column.copy_(kept)
            work[begin + j + 1 : end].addr_(local[j, j + 1 :], errors[j], alpha=-1)
        work[end:].addmm_(factor[begin:end, end:].T, errors, alpha=-1)
    return work.T, loss.sum().item()


def compress_matrix(weights, hessian, sparsity, bits, damping=0.01, transposed=False):
    """Factor and sweep of one matrix. Dead columns become 0."""
    factor, dead = hessian_factor(hessian, damping)
    weights = weights.clone()
    weights[:, dead] = 0
    return joint_sweep(weights, factor, sparsity, bits, transposed=transposed)


class Stopwatch:
    """Seconds of wall time per phase; an inner phase is not counted in the outer one."""

    def __init__(self):
        self.seconds = {}
        self._running = []

    @contextlib.contextmanager
    def phase(self, name):
        begin = time.perf_counter()
        self._running.append(0.0)
        try:
            yield
        finally:
            elapsed = time.perf_counter() - begin
            inner = self._running.pop()
            self.seconds[name] = self.seconds.get(name, 0.0) + elapsed - inner
            if self._running:
                self._running[-1] += elapsed


class _Caught(Exception):
    pass


@torch.no_grad()
def _inputs_of_first_layer(model, windows, batch):
    """Hidden states that enter the first decoder layer, with the other arguments of the call, batch by batch."""
    caught = []

    def catch(_module, args, kwargs):
        others = dict(kwargs)
        hidden = args[0] if args else others.pop("hidden_states")
        caught.append((hidden, args[1:], others))
        raise _Caught

    hook = model.model.decoder.layers[0].register_forward_pre_hook(catch, with_kwargs=True)
    try:
        for some in torch.split(windows, batch):
            with contextlib.suppress(_Caught):
                model(input_ids=some, use_cache=False)
    finally:
        hook.remove()
    return caught


@torch.no_grad()
def compress_opt_model(model, windows, sparsity, bits, damping=0.01, batch=1, share_inputs=False, transposed=False):
    """Compresses every linear layer of an OPT model's decoder in place, layer by layer, each from inputs that passed the
    compressed layers before it. Published: one window at a time, a Gram matrix and a factor for every matrix.
    `share_inputs` computes them once where q, k and v read the same input.

    Returns {"seconds", "phases": {forward, gram, solve}, "losses": {matrix: loss}}.
    """
    watch = Stopwatch()
    losses = {}
    begin = time.perf_counter()
    with watch.phase("forward"):
        calls = _inputs_of_first_layer(model, windows, batch)

    def run(layer, call):
        hidden, args, kwargs = call
        out = layer(hidden, *args, **kwargs)
        return out[0] if isinstance(out, tuple) else out

    for index, layer in enumerate(model.model.decoder.layers):
        linears = {name: module for name, module in layer.named_modules() if isinstance(module, torch.nn.Linear)}
        source = {name: name.replace("k_proj", "q_proj").replace("v_proj", "q_proj") if share_inputs else name
                  for name in linears}
        grams = {name: torch.zeros(linears[name].in_features, linears[name].in_features)
                 for name in set(source.values())}

        def add_to(gram):
            def hook(_module, args, _out):
                with watch.phase("gram"):
                    tokens = args[0].reshape(-1, args[0].shape[-1])
                    gram.addmm_(tokens.T, tokens)

            return hook

        hooks = [linears[name].register_forward_hook(add_to(gram)) for name, gram in grams.items()]
        with watch.phase("forward"):
            for call in calls:
                run(layer, call)
        for hook in hooks:
            hook.remove()
        with watch.phase("solve"):
            factors = {}
            for name, module in linears.items():
                if source[name] not in factors:
                    factors[source[name]] = hessian_factor(grams[source[name]] * (2 / len(windows)), damping)
                factor, dead = factors[source[name]]
                if not share_inputs:
                    factors.clear()
                weights = module.weight.data.clone()
                weights[:, dead] = 0
                compressed, losses[f"{index}.{name}"] = joint_sweep(weights, factor, sparsity, bits,
                                                                   transposed=transposed)
                module.weight.data = compressed.contiguous()
        with watch.phase("forward"):
            calls = [(run(layer, call), *call[1:]) for call in calls]
    return {"seconds": time.perf_counter() - begin, "phases": watch.seconds, "losses": losses}


def load_opt(directory):
    """An OPT model in float32 and evaluation mode."""
    try:
        from transformers import OPTForCausalLM
    except ImportError:
        sys.exit("the Python package transformers is missing; `pip install transformers tokenizers`")
    model = OPTForCausalLM.from_pretrained(directory, dtype=torch.float32)
    model.eval()
    return model


def calibration_windows(directory, text_file, count, length):
    """`count` windows of `length` tokens, evenly spread: window i starts at i * (tokens - length) // (count - 1)."""
    try:
        from tokenizers import ByteLevelBPETokenizer
    except ImportError:
        sys.exit("the Python package tokenizers is missing; `pip install transformers tokenizers`")
    tokenizer = ByteLevelBPETokenizer(f"{directory}/vocab.json", f"{directory}/merges.txt")
    stream = torch.tensor([2] + tokenizer.encode(pathlib.Path(text_file).read_text(encoding="utf-8")).ids)
    if len(stream) < length:
        sys.exit(f"{text_file}: {len(stream)} tokens are fewer than one window of {length}")
    return torch.stack([stream[start : start + length] for start in
                        (i * (len(stream) - length) // max(1, count - 1) for i in range(count))])


def main():
    parser = argparse.ArgumentParser(description="Compresses an OPT model with SparseGPT in PyTorch and prints JSON.")
    parser.add_argument("model", help="Hugging Face OPT directory")
    parser.add_argument("--calibration", required=True, metavar="FILE", help="text to calibrate on")
    parser.add_argument("--nsamples", type=int, default=64, help="calibration windows (default: %(default)s)")
    parser.add_argument("--seqlen", type=int, help="tokens of a window (default: the model's context)")
    parser.add_argument("--sparsity", type=float, default=0.5, help="share of pruned weights (default: %(default)s)")
    parser.add_argument("--wbits", type=int, default=4, help="bits of a weight, 16: prune only (default: %(default)s)")
    parser.add_argument("--percdamp", type=float, default=0.01, help="damping (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=1, help="windows of a forward pass (default: %(default)s)")
    parser.add_argument("--share-inputs", action="store_true", help="one Gram matrix and factor for q, k and v")
    parser.add_argument("--transposed", action="store_true", help="sweep a transposed copy: faster, same arithmetic")
    parser.add_argument("--save", metavar="DIR", help="write the compressed model")
    options = parser.parse_args()
    if not 0 <= options.sparsity < 1:
        parser.error(f"--sparsity must be 0 to 1, got {options.sparsity}")
    if options.nsamples < 1 or options.batch < 1 or options.threads < 1 or options.wbits < 1:
        parser.error("--nsamples, --batch, --threads and --wbits must be at least 1")
    torch.set_num_threads(options.threads)
    model = load_opt(options.model)
    windows = calibration_windows(options.model, options.calibration, options.nsamples,
                                  options.seqlen or model.config.max_position_embeddings)
    outcome = compress_opt_model(model, windows, options.sparsity, options.wbits, options.percdamp, options.batch,
                                 options.share_inputs, options.transposed)
    if options.save:
        model.save_pretrained(options.save)
    print(json.dumps(outcome))


if __name__ == "__main__":
    main()
