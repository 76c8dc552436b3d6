"""A step of training in our GPT and in ``transformers``' GPT-2: the same weights and batch, taking turns in one process.

    python benchmarks/training.py                            # under a minute on two quiet cores
    python benchmarks/training.py --threads 1 --cpu-seconds  # on a machine that has other work

A step is all of it: forward, loss, backward, the gradient shortened to 1, AdamW (norms and biases without decay). Ours is
one of ``helpers.training.train``, record and all; theirs is the same written out, as their own Trainer does it. Both must
first agree: the loss of a batch to 0.00001, and to 0.0001 once five steps have been learned from. Then they run
``--repeats`` times in turn; the table shows medians, and the ratio of the medians beside its target. Theirs has AdamW
fused, as ours and their Trainer's default, and once more as torch has it by default.

How much of the machine that is: the operations of a step (``helpers.hardware.training_work``: 6 for each weight and
token, and those of looking back) against those of one large product, which takes its turns with the steps. There are two
of these, because two libraries compute products here (see ``helpers.transformer.linear``).

Timings want a quiet machine. ``--json`` prints one line for other programs.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from transformer import Row, cpu, print_table, take_turns  # benchmarks/transformer.py

from helpers import tinytown
from helpers.hardware import training_work
from helpers.training import IGNORED, TrainingConfig, learning_rate_at, train
from helpers.transformer import GPT, GPTConfig, linear

AGREE, AGREE_LATER, STEPS = 1e-5, 1e-4, 5  # nats, before and after so many steps
N_PRODUCT = 1024  # rows and columns of the large product


class Size(NamedTuple):
    """A model and how much it reads in a step."""

    config: GPTConfig  # as GPT-2: with biases, learned positions, LayerNorm, GELU, tied embedding
    batch_size: int

    @property
    def name(self) -> str:
        c = self.config
        return f"{c.n_layers} layers of {c.d_model}, {self.batch_size} x {c.n_ctx} tokens"


SIZES = (
    Size(GPTConfig(len(tinytown.VOCABULARY), n_ctx=64, n_layers=2, n_heads=4, d_model=64), batch_size=64),
    Size(GPTConfig(1_000, n_ctx=64, n_layers=4, n_heads=4, d_model=128), batch_size=32),
)


class Speed(NamedTuple):
    """What one size came to."""

    size: Size
    losses: list[float]  # of the steps in which both had to agree
    off: float  # the largest difference between their losses
    rows: list[Row]
    operations: int  # of a step
    products: dict[str, float]  # operations a second of a large product, by who computes it

    @property
    def operations_a_second(self) -> float:
        """What our step comes to."""
        n_tokens = self.size.batch_size * self.size.config.n_ctx
        return statistics.median(self.rows[0].ours) / n_tokens * self.operations


def rough_model(config: GPTConfig, seed: int = 0) -> GPT:
    """A GPT with large weights and biases: among small ones, a wrong place would hardly show."""
    model, generator = GPT(config, seed=seed), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    return model


def as_gpt2(model: GPT):
    """``transformers``' GPT-2 with copies of the weights of ours, in training mode; dropout is 0 in both."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config, ours = model.config, model.state_dict()
    peer = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=config.vocab_size,
            n_positions=config.n_ctx,
            n_embd=config.d_model,
            n_layer=config.n_layers,
            n_head=config.n_heads,
            n_inner=config.mlp_width,
            layer_norm_epsilon=config.norm_eps,
            resid_pdrop=0,
            embd_pdrop=0,
            attn_pdrop=0,
            bos_token_id=None,
            eos_token_id=None,
            loss_type="ForCausalLM",
        )
    )
    theirs = {
        "transformer.wte.weight": ours["embedding.weight"],
        "transformer.wpe.weight": ours["position_embedding.weight"],
        "lm_head.weight": ours["embedding.weight"],
    }
    for kind in ("weight", "bias"):
        theirs[f"transformer.ln_f.{kind}"] = ours[f"final_norm.{kind}"]
        for layer in range(config.n_layers):
            part = {name: ours[f"blocks.{layer}.{name}.{kind}"] for name in _PARTS}
            looking = [part[f"attention.{name}"] for name in ("query", "key", "value")]
            # Their matrices are [inside, outside], and one holds queries, keys and values.
            theirs |= {
                f"transformer.h.{layer}.{name}.{kind}": weight.t()
                for name, weight in {
                    "ln_1": part["attention_norm"],
                    "attn.c_attn": torch.cat(looking),
                    "attn.c_proj": part["attention.output"],
                    "ln_2": part["mlp_norm"],
                    "mlp.c_fc": part["mlp.up"],
                    "mlp.c_proj": part["mlp.down"],
                }.items()
            }
    peer.load_state_dict(theirs)
    return peer.train()


_PARTS = (
    "attention_norm",
    "attention.query",
    "attention.key",
    "attention.value",
    "attention.output",
    "mlp_norm",
    "mlp.up",
    "mlp.down",
)


def batch_of(size: Size, seed: int = 0) -> torch.Tensor:
    """Random ids ``[batch, seq]``; each is the target of the one before it, and the last of a row has none."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(size.config.vocab_size, (size.batch_size, size.config.n_ctx), generator=generator)


def our_step(model: GPT, ids: torch.Tensor, config: TrainingConfig) -> Callable[[], float]:
    """A function that takes one step and gives its loss."""
    targets = torch.full_like(ids, IGNORED)
    targets[:, :-1] = ids[:, 1:]
    run = train(model, ids, targets, config)
    return lambda: next(run).loss


def their_step(peer, ids: torch.Tensor, config: TrainingConfig, fused: bool | None) -> Callable[[], float]:
    """The same with ``transformers``, which moves the targets by itself."""
    weights = list(peer.parameters())
    groups = [
        {"params": [w for w in weights if w.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [w for w in weights if w.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=fused)
    step = 0

    def take() -> float:
        nonlocal step
        step += 1
        loss = peer(ids, labels=ids).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, config.max_gradient)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(step, config)
        optimizer.step()
        return loss.item()

    return take


def agree(model: GPT, peer, ids: torch.Tensor) -> tuple[list[float], float]:
    """Our losses before and after some steps, and how far theirs are off; an AssertionError where that is too far."""
    config = TrainingConfig(steps=10 * STEPS, batch_size=len(ids), learning_rate=3e-3)
    ours = our_step(model, ids, config)
    theirs = their_step(peer, ids, config, fused=True)
    pairs = [(ours(), theirs()) for _ in range(STEPS + 1)]
    apart = [abs(a - b) for a, b in pairs]
    assert apart[0] < AGREE, f"losses must agree to {AGREE}, and are {apart[0]} apart"
    assert max(apart) < AGREE_LATER, f"losses must agree to {AGREE_LATER} after steps, and are {apart} apart"
    return [loss for loss, _ in pairs], max(apart)


def large_products(n: int = N_PRODUCT) -> dict[str, Callable]:
    """One large product, by each library that our GPT takes."""
    a, b = torch.randn(2, n, n, generator=torch.Generator().manual_seed(0))
    return {"torch.matmul": lambda: a @ b, "linear": lambda: linear(a, b)}


def measure(size: Size, repeats: int, clock: Callable[[], float]) -> Speed:
    """Both at one size: first whether they agree, then how fast they are."""
    ids = batch_of(size)
    model = rough_model(size.config)
    losses, off = agree(model, as_gpt2(model), ids)
    config = TrainingConfig(steps=10 * (repeats + 1), batch_size=size.batch_size)
    model = GPT(size.config)
    seconds = take_turns(
        {
            "fused": their_step(as_gpt2(model), ids, config, fused=True),
            "default": their_step(as_gpt2(model), ids, config, fused=None),
            "ours": our_step(model, ids, config),
            **large_products(),
        },
        repeats,
        clock,
    )
    a_second = {name: [ids.numel() / run for run in runs] for name, runs in seconds.items()}
    rows = [
        Row(size.name, a_second["ours"], a_second["fused"], "tokens/s", 1.3, True),
        Row("  their AdamW not fused", a_second["ours"], a_second["default"], "tokens/s", None, True),
    ]
    work = training_work(size.config, size.config.n_ctx, n_texts=size.batch_size)
    products = {
        name: 2 * N_PRODUCT**3 / statistics.median(seconds[name]) for name in ("torch.matmul", "linear")
    }
    return Speed(size, losses, off, rows, work.operations, products)


def describe(speed: Speed) -> str:
    """In a few lines: do they agree, and what share of the machine's products our step is."""
    rate = speed.operations_a_second
    lines = [
        f"{speed.size.name}: losses {speed.losses[0]:.3f} to {speed.losses[-1]:.3f} in {STEPS} steps, "
        f"{speed.off:.0e} apart; {speed.operations / 1e9:.2f} billion operations a step, {rate / 1e9:.0f} billion a second"
    ]
    for name, product in speed.products.items():
        lines.append(f"  {rate / product:.0%} of a large product by {name} ({product / 1e9:.0f} billion)")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=60, help="of each step")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument(
        "--cpu-seconds", action="store_true", help="count seconds of work, all threads together"
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    options = parser.parse_args()
    try:
        import transformers
    except ImportError as error:
        print(f"nothing to compare with: {error}; make setup installs transformers")
        return

    transformers.utils.logging.set_verbosity_error()
    torch.set_num_threads(options.threads)
    clock = time.process_time if options.cpu_seconds else time.perf_counter
    speeds = [measure(size, options.repeats, clock) for size in SIZES]
    if options.json:
        result = {
            "threads": options.threads,
            "sizes": [
                {
                    "name": speed.size.name,
                    "losses": speed.losses,
                    "largest_difference": speed.off,
                    "operations": speed.operations,
                    "products": speed.products,
                    "share": speed.operations_a_second / speed.products["torch.matmul"],
                    "rows": [
                        row._asdict() | {"ratio": row.ratio, "verdict": row.verdict} for row in speed.rows
                    ],
                }
                for speed in speeds
            ],
        }
        print(json.dumps(result))
        return
    print(
        f"a step of training, float32, {options.threads} threads, {'CPU' if options.cpu_seconds else 'wall'} seconds; "
        f"torch {torch.__version__}, transformers {transformers.__version__}\n{cpu()}"
    )
    print_table([row for speed in speeds for row in speed.rows])
    print("\n" + "\n".join(describe(speed) for speed in speeds))


if __name__ == "__main__":
    main()
