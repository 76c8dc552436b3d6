"""Parameters counted from sizes: against the models themselves, the files, and what was published."""

import importlib.util
import itertools
import json
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import parameters
from helpers.parameters import (
    BYTES,
    CHOICES,
    GPT2,
    LIMITS,
    PUBLISHED,
    Sizes,
    bytes_told,
    dense_parameters,
    file_parameters,
    formulas,
    gpt_parameters,
    layer_names,
    sizes_of,
    weight_bytes,
)
from helpers.pretrained import TINYTOWN_FILE, is_available, model_folder, smollm2_config
from helpers.transformer import GPT, GPTConfig, save_model

needs_smollm2 = pytest.mark.skipif(not is_available("smollm2"), reason="run python -m helpers.pretrained")
needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="transformers belongs to the tests' own packages"
)
SMALL = {"vocab_size": 11, "n_ctx": 7, "n_layers": 3, "n_heads": 4, "d_model": 24}


@st.composite
def configs(draw):
    """Any config that can be built, with small sizes."""
    kv_heads, group, d_head = draw(st.integers(1, 3)), draw(st.integers(1, 3)), 2 * draw(st.integers(1, 3))
    return GPTConfig(
        vocab_size=draw(st.integers(1, 20)),
        n_ctx=draw(st.integers(1, 20)),
        n_layers=draw(st.integers(1, 4)),
        n_heads=kv_heads * group,
        d_model=kv_heads * group * d_head,
        n_kv_heads=draw(st.sampled_from([kv_heads, None])),
        d_mlp=draw(st.one_of(st.none(), st.integers(1, 30))),
        **{name: draw(st.sampled_from(allowed)) for name, allowed in CHOICES.items()},
        tied=draw(st.booleans()),
        bias=draw(st.booleans()),
    )


def by_part(count):
    return {part.name: part.count for part in count.parts}


# ---- Fully connected layers -----------------------------------------------------------------------------------------


def test_3_5_4_2_has_54():
    count = dense_parameters([3, 5, 4, 2])
    assert count.sizes == (3, 5, 4, 2)
    assert count.terms == (20, 24, 10)
    assert count.total == 54
    assert count.formula == "(3 + 1) × 5 + (5 + 1) × 4 + (4 + 1) × 2 = 20 + 24 + 10 = 54"


@given(st.lists(st.integers(1, 12), min_size=2, max_size=6))
@settings(max_examples=30, deadline=None)
def test_layers_have_as_many_parameters_as_torchs(sizes):
    from torch import nn

    layers = [nn.Linear(*pair, device="meta") for pair in itertools.pairwise(sizes)]
    assert dense_parameters(sizes).terms == tuple(
        sum(p.numel() for p in layer.parameters()) for layer in layers
    )
    assert dense_parameters(sizes).total == sum(p.numel() for layer in layers for p in layer.parameters())


def test_every_formula_gives_its_number():
    for sizes in ([3, 5, 4, 2], [2, 1], [1000, 2000, 7]):
        sides = dense_parameters(sizes).formula.split(" = ")
        assert len({worked_out(side) for side in sides}) == 1
    assert dense_parameters([1000, 2000]).formula == "(1,000 + 1) × 2,000 = 2,002,000"


def worked_out(formula):
    return eval(formula.replace("×", "*").replace(",", ""), {})


@pytest.mark.parametrize(
    "sizes", [(3, 5), np.array([3, 5]), [np.int64(3), np.int32(5)], range(3, 6, 2)], ids=str
)
def test_sizes_may_come_in_any_list(sizes):
    count = dense_parameters(sizes)
    assert count.total == 20
    assert {type(size) for size in count.sizes} == {int}


@pytest.mark.parametrize(
    ("sizes", "why"),
    [
        (
            [3],
            r"sizes must be a list of at least two layers, inputs and outputs, got \[3\]; \[3, 5, 4, 2\] has",
        ),
        ([], r"at least two layers, inputs and outputs, got \[\]"),
        (5, "at least two layers, inputs and outputs, got 5"),
        ("3-5-4-2", "at least two layers, inputs and outputs, got '3-5-4-2'"),
        (None, "got None"),
        (np.array(5), r"at least two layers, inputs and outputs, got array\(5\)"),
        (np.ones((2, 2)), r"inputs must be .* got array\(\[1., 1.\]\)"),
        ([3, 0], "outputs must be a whole number from 1 to 1,000,000, got 0; 1 is one neuron"),
        ([-2, 4], "inputs must be a whole number from 1 to 1,000,000, got -2"),
        ([3, 1_000_001, 2], "layer 1 must be a whole number from 1 to 1,000,000, got 1,000,001"),
        ([3, 2, 2.5, 2], "layer 2 must be a whole number from 1 to 1,000,000, got 2.5"),
        ([3, True], "outputs must be .* got True"),
        ([3, float("nan")], "outputs must be .* got nan"),
        (["3", 2], "inputs must be .* got '3'"),
        ([[3, 4], [5, 6]], r"inputs must be .* got \[3, 4\]"),
        ([3, 10**5000], "got one of 19 digits or more; 1 is"),
        ([3, -(10**5000)], "got one of 19 digits or more; 1 is"),
        ([3, "x" * 500], "got 'x{58}…; 1 is one neuron"),
    ],
)
def test_layers_that_can_not_be_are_refused(sizes, why):
    with pytest.raises(ValueError, match=why):
        dense_parameters(sizes)


def test_the_largest_layers_are_counted_and_named():
    assert dense_parameters([1_000_000, 1_000_000]).total == 1_000_001_000_000
    assert layer_names(2) == ["inputs", "outputs"]
    assert layer_names(5) == ["inputs", "layer 1", "layer 2", "layer 3", "outputs"]


# ---- A GPT ----------------------------------------------------------------------------------------------------------


@given(configs())
@settings(max_examples=80, deadline=None)
def test_the_count_is_that_of_the_model(config):
    model = GPT(config, seed=None)
    count = gpt_parameters(config)
    assert count.total == model.n_params == sum(part.count for part in count.parts)

    found = dict.fromkeys(by_part(count), 0)
    for name, weight in model.named_parameters():
        found[part_of(name)] += weight.numel()
    assert by_part(count) == found


def part_of(name):
    """By the names in the model, without the module's own table."""
    for piece, part in (
        ("position_embedding", "positions"), ("unembedding", "unembedding"), ("embedding", "embedding"), ("norm", "norms"),
        ("mlp", "feed-forward"), ("query", "queries"), ("key", "keys"), ("value", "values"), ("output", "attention output"),
    ):  # fmt: skip
        if piece in name:
            return part
    raise AssertionError(name)


@given(configs())
@settings(max_examples=60, deadline=None)
def test_every_formula_gives_the_parts_number(config):
    for part in gpt_parameters(config).parts:
        if part.count:
            assert worked_out(part.numbers) == part.count
            sizes = sizes_of(config)
            names = {name: getattr(sizes, name) for name in (*LIMITS, "d_head")}
            assert eval(part.formula.replace("×", "*"), {}, names) == part.count
        else:
            assert part.numbers == ""
            assert part.formula.startswith("none: ")


def test_formulas_say_what_is_there():
    told = formulas(Sizes(**SMALL, n_kv_heads=2))
    assert told["keys"] == told["values"] == "n_layers × (d_model + 1) × n_kv_heads × d_head"
    assert told["feed-forward"] == "n_layers × ((d_model + 1) × d_mlp + (d_mlp + 1) × d_model)"
    assert told["norms"] == "(2 × n_layers + 1) × 2 × d_model"
    bare = formulas(Sizes(**SMALL, mlp="swiglu", bias=False, tied=False, positions="none"))
    assert bare["feed-forward"] == "n_layers × (2 × d_model × d_mlp + d_mlp × d_model)"
    assert bare["norms"] == "(2 × n_layers + 1) × d_model"
    assert bare["unembedding"] == bare["embedding"] == "vocab_size × d_model"
    assert bare["positions"] == "none: no positions"
    count = gpt_parameters(Sizes(**SMALL, n_kv_heads=2))
    assert {part.name: part.numbers for part in count.parts}["keys"] == "3 × (24 + 1) × 2 × 6"
    assert list(by_part(count)) == list(told)


def test_shares_are_parts_of_the_whole():
    count = gpt_parameters(Sizes(**SMALL))
    assert sum(count.share(part.name) for part in count.parts) == pytest.approx(1)
    assert count.share("unembedding") == 0
    with pytest.raises(
        ValueError, match=r"a part must be one of embedding, positions, .*unembedding, got 'embeddings'"
    ):
        count.share("embeddings")


def test_more_heads_change_nothing_and_fewer_key_heads_do():
    few, many = (gpt_parameters(Sizes(**{**SMALL, "n_heads": heads})) for heads in (2, 12))
    assert few.total == many.total
    shared = gpt_parameters(Sizes(**SMALL, n_kv_heads=1))
    full = gpt_parameters(Sizes(**SMALL))
    assert by_part(shared)["keys"] * 4 == by_part(full)["keys"]
    assert by_part(shared)["queries"] == by_part(full)["queries"]


def test_what_is_not_given_follows_from_the_rest():
    sizes = Sizes(**SMALL)
    assert (sizes.n_kv_heads, sizes.d_mlp, sizes.d_head) == (4, 96, 6)
    assert sizes == Sizes(**SMALL, n_kv_heads=4, d_mlp=96)
    assert sizes == sizes_of(GPTConfig(**SMALL)) == sizes_of(sizes)
    assert type(Sizes(**{**SMALL, "d_model": np.int64(24)}).d_model) is int


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"d_model": 25}, "n_heads must divide d_model, got 4 heads for 25 numbers; try d_model=28"),
        (
            {"d_model": 25, "positions": "rotary"},
            "n_heads must divide d_model, got 4 heads for 25 numbers; try d_model=32",
        ),
        ({"n_kv_heads": 3}, "n_kv_heads must divide n_heads, got 3 for 4 heads; try n_kv_heads=1"),
        ({"n_heads": 12, "n_kv_heads": 8}, "got 8 for 12 heads; try n_kv_heads=4"),
        ({"n_kv_heads": 8}, "n_kv_heads must divide n_heads, got 8 for 4 heads; try n_kv_heads=4"),
        ({"n_heads": 8, "positions": "rotary"}, r"must be even, got 24 / 8 = 3; try positions='learned'"),
        ({"vocab_size": 0}, "vocab_size must be a whole number from 1 to 10,000,000, got 0; GPT-2 has 50,257"),
        ({"n_layers": 1_001}, "n_layers must be a whole number from 1 to 1,000, got 1,001; GPT-2 has 12"),
        ({"n_ctx": 2.0}, "n_ctx must be a whole number from 1 to 10,000,000, got 2.0; GPT-2 has 1,024"),
        ({"d_mlp": "96"}, "d_mlp must be a whole number from 1 to 1,000,000, got '96'; GPT-2 has 3,072"),
        ({"n_heads": None}, "n_heads must be a whole number from 1 to 10,000, got None"),
        ({"d_model": True}, "d_model must be a whole number from 1 to 200,000, got True"),
        ({"d_model": float("nan")}, "d_model must be .* got nan"),
        ({"n_kv_heads": -1}, "n_kv_heads must be a whole number from 1 to 10,000, got -1; GPT-2 has 12"),
        ({"norm": "batchnorm"}, "norm must be one of layernorm, rmsnorm, got 'batchnorm'; 'layernorm' is what"),
        ({"mlp": "relu"}, "mlp must be one of gelu, swiglu, got 'relu'; 'gelu' is what GPT-2 has"),
        ({"positions": ""}, "positions must be one of learned, rotary, none, got ''"),
    ],
)  # fmt: skip
def test_sizes_that_can_not_be_are_refused(change, why):
    with pytest.raises(ValueError, match=why):
        Sizes(**{**SMALL, **change})


@pytest.mark.parametrize(
    "change", [{"d_model": 25}, {"n_kv_heads": 3}, {"n_heads": 8, "positions": "rotary"}]
)
def test_what_is_refused_here_can_not_be_built_either(change):
    with pytest.raises(ValueError, match=r"must divide|must be even"):
        GPTConfig(**{**SMALL, **change})


def test_a_step_that_is_advised_can_be_taken():
    for heads, d_model, positions in [(9, 577, "rotary"), (4, 25, "learned"), (7, 3, "rotary")]:
        with pytest.raises(ValueError, match="must divide") as refused:
            Sizes(**{**SMALL, "n_heads": heads, "d_model": d_model, "positions": positions})
        advised = int(re.search(r"try d_model=(\d+)", str(refused.value))[1])
        assert (
            Sizes(**{**SMALL, "n_heads": heads, "d_model": advised, "positions": positions}).d_model > d_model
        )


def test_switches_are_true_or_false():
    for name in ("tied", "bias"):
        with pytest.raises(Exception, match=name):  # in the tests, the type is looked at first
            Sizes(**SMALL, **{name: 1})


def test_what_has_no_sizes_is_refused():
    for config in (5, "SmolLM2", None, {"d_model": 5}):
        with pytest.raises(
            ValueError, match=r"config must have the sizes of a GPT, got .* without vocab_size; take a"
        ):
            gpt_parameters(config)
    some = SimpleNamespace(**SMALL)
    with pytest.raises(ValueError, match="without n_kv_heads; take a GPTConfig or a Sizes"):
        gpt_parameters(some)


def test_the_largest_sizes_are_counted_exactly_in_a_browser():
    largest = Sizes(**LIMITS, tied=False, mlp="swiglu")
    assert 10**14 < gpt_parameters(largest).total < 2**53
    assert all(1 <= GPT2[name] <= most for name, most in LIMITS.items())


# ---- What is published ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "total"),
    [
        ("Tinytown GPT", 113_088),
        ("GPT-2", 124_439_808),
        ("SmolLM2", 134_515_008),
        ("GPT-2 XL", 1_557_611_200),
        ("Llama 3 8B", 8_030_261_248),
    ],
)
def test_published_models_have_as_many_as_their_checkpoints(name, total):
    assert gpt_parameters(PUBLISHED[name].sizes).total == total == PUBLISHED[name].published


def test_gpt_3_has_a_little_less_than_its_name_says():
    total = gpt_parameters(PUBLISHED["GPT-3"].sizes).total
    # 12 d² + 13 d for each layer, two tables, the last norm; by hand from Brown et al. 2020, Table 2.1.
    d = 12_288
    assert total == 96 * (12 * d * d + 13 * d) + (50_257 + 2_048) * d + 2 * d == 174_604_259_328
    assert PUBLISHED["GPT-3"].published - total == 395_740_672
    assert PUBLISHED["GPT-3"].sizes.d_head == 128


def test_models_stand_from_small_to_large():
    totals = [gpt_parameters(one.sizes).total for one in PUBLISHED.values()]
    assert totals == sorted(totals)
    for name, one in PUBLISHED.items():
        assert str(one.year) in one.source or name == "Tinytown GPT"  # paper and model are of one year
    assert {name: getattr(PUBLISHED["GPT-2"].sizes, name) for name in LIMITS} == GPT2


def test_the_embedding_is_a_fifth_of_smollm2_and_next_to_nothing_of_gpt_3():
    shares = {name: gpt_parameters(one.sizes).share("embedding") for name, one in PUBLISHED.items()}
    assert shares["SmolLM2"] == pytest.approx(0.2105, abs=1e-4)
    assert shares["GPT-2"] == pytest.approx(0.3102, abs=1e-4)
    assert shares["GPT-3"] == pytest.approx(0.0035, abs=1e-4)


@needs_transformers
def test_the_reference_implementations_count_the_same():
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    for name, one in PUBLISHED.items():
        sizes = one.sizes
        if name.startswith("GPT-2"):
            config = GPT2Config(
                vocab_size=sizes.vocab_size, n_positions=sizes.n_ctx, n_embd=sizes.d_model,
                n_layer=sizes.n_layers, n_head=sizes.n_heads,
            )  # fmt: skip
            kind = GPT2LMHeadModel
        elif sizes.mlp == "swiglu":
            config = LlamaConfig(
                vocab_size=sizes.vocab_size, hidden_size=sizes.d_model, intermediate_size=sizes.d_mlp,
                num_hidden_layers=sizes.n_layers, num_attention_heads=sizes.n_heads,
                num_key_value_heads=sizes.n_kv_heads, tie_word_embeddings=sizes.tied,
            )  # fmt: skip
            kind = LlamaForCausalLM
        else:
            continue
        with torch.device("meta"):
            assert kind(config).num_parameters() == gpt_parameters(sizes).total, name


def test_smollm2s_sizes_are_those_it_is_loaded_with():
    assert sizes_of(smollm2_config()) == PUBLISHED["SmolLM2"].sizes


# ---- Files ----------------------------------------------------------------------------------------------------------


def test_the_tinytown_file_holds_what_is_counted():
    assert file_parameters(TINYTOWN_FILE) == by_part(gpt_parameters(PUBLISHED["Tinytown GPT"].sizes))


@needs_smollm2
def test_smollm2s_file_holds_what_is_counted():
    found = file_parameters(model_folder("smollm2") / "model.safetensors")
    assert found == by_part(gpt_parameters(PUBLISHED["SmolLM2"].sizes))
    assert sum(found.values()) == 134_515_008


def test_a_saved_model_holds_what_is_counted(tmp_path):
    config = GPTConfig(**SMALL, n_kv_heads=2, tied=False)
    save_model(GPT(config), tmp_path / "model.safetensors")
    assert file_parameters(tmp_path / "model.safetensors") == by_part(gpt_parameters(config))


def written(path, head):
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    return path


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GGUF",
        b"not a model at all",
        b"\xff" * 20,
        (5).to_bytes(8, "little") + b"{",
        bytes(8),
        bytes(100),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path, content):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"a model file must be whole safetensors, got .*x.safetensors, which is"
    ):
        file_parameters(path)


@pytest.mark.parametrize("head", [b"[1]", b"5", b'{"a": 5}', b'{"a": {}}', b"{broken"])
def test_a_broken_head_is_refused(tmp_path, head):
    with pytest.raises(ValueError, match="must be whole safetensors"):
        file_parameters(written(tmp_path / "x.safetensors", head))


def test_a_file_with_other_names_is_refused(tmp_path):
    path = written(tmp_path / "x.safetensors", {"transformer.wte.weight": {"shape": [3, 4]}})
    with pytest.raises(
        ValueError, match=r"must have the names that save_model gives them, got 'transformer.wte"
    ):
        file_parameters(path)
    none = written(
        tmp_path / "y.safetensors", {"__metadata__": {"a": "b"}, "embedding.weight": {"shape": [3, 4]}}
    )
    assert file_parameters(none)["embedding"] == 12


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"weights must be read from a file, got .*, which is not there; check"
    ):
        file_parameters(tmp_path / "none.safetensors")
    with pytest.raises(FileNotFoundError, match="which is not there"):
        file_parameters(tmp_path)


# ---- Memory ---------------------------------------------------------------------------------------------------------


def test_memory_is_the_numbers_times_their_bytes():
    assert BYTES == {"float32": 4, "float16": 2, "8-bit": 1, "4-bit": 0.5}
    assert weight_bytes(174_604_259_328)["float32"] == 4 * 174_604_259_328
    assert weight_bytes(5) == {"float32": 20, "float16": 10, "8-bit": 5, "4-bit": 3}
    for n in (0, -1, 2.5, None, True, 2**53 + 1):
        with pytest.raises(
            ValueError, match="n_params must be a whole number from 1 to 9,007,199,254,740,992, got"
        ):
            weight_bytes(n)


@pytest.mark.parametrize(
    ("n", "told"),
    [(1, "1 byte"), (2, "2 bytes"), (999, "999 bytes"), (1000, "1 kB"), (1_004, "1 kB"), (1_005, "1 kB"), (1_010, "1.01 kB"),
     (12_345, "12.3 kB"), (999_499, "999 kB"), (999_500, "1 MB"), (134_515_008, "135 MB"), (1_125_000, "1.12 MB"),
     (999_499_999, "999 MB"), (6_230_444_800, "6.23 GB"), (3_000_000_000_000, "3 TB"), (4 * 2**53, "36 PB")],
)  # fmt: skip
def test_bytes_are_told_with_three_digits(n, told):
    assert bytes_told(n) == told


# ---- The module -----------------------------------------------------------------------------------------------------


def test_counting_needs_no_torch():
    code = "import sys, helpers.parameters; sys.exit('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=parameters.__file__.rsplit("/", 2)[0]).returncode
        == 0
    )
