"""Three ways to draw that are no language models: a VAE, a GAN and a diffusion model, on the same 8x8 digits.

Each is as short as it can honestly be: networks of a few fully connected layers, trained in seconds. A picture is a row
of 64 numbers from -1 (paper) to 1 (ink). ``inspect`` then asks of any pictures, a GPT's or a person's too: are they clear
digits, how many of the ten occur, and are their small patches like those of real digits?

What this leaves out: convolutions, attention, text as a prompt, and everything else that makes such pictures large and
good.

Sources: Kingma and Welling 2013, "Auto-Encoding Variational Bayes", section 3 and appendix B; Goodfellow et al. 2014,
"Generative Adversarial Nets", algorithm 1 and section 3 (the loss that does not saturate); Ho, Jain and Abbeel 2020,
"Denoising Diffusion Probabilistic Models", equations 4, 7 and 14, algorithms 1 and 2.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from scipy import ndimage
from torch import Tensor, nn

from helpers import pixels
from helpers.sampling import uniforms

PIXELS = pixels.PIXELS
BATCH = 128  # pictures in a batch
MOST = 2000  # pictures drawn by one call


def pictures(split: str = "train") -> Float[Tensor, "picture 64"]:
    """The digits of a split, as they are in scikit-learn, scaled: -1 is paper, 1 is ink.

    >>> shown = pictures()
    >>> tuple(shown.shape), shown.min().item(), shown.max().item()
    ((1285, 64), -1.0, 1.0)

    Raises ValueError for an unknown split.
    """
    from sklearn.datasets import load_digits

    of_split = np.isin(pixels.digits("all").sheets, np.unique(pixels.digits(split).sheets))
    return torch.tensor(load_digits().images[of_split] / 8 - 1, dtype=torch.float32).flatten(1)


def layers(*widths: int) -> nn.Sequential:
    """Fully connected layers of these widths, with a leaky ReLU between them: a fifth of what is below 0 passes.

    >>> [part.out_features for part in layers(64, 32, 8) if isinstance(part, nn.Linear)]
    [32, 8]
    """
    parts = [part for a, b in itertools.pairwise(widths) for part in (nn.Linear(a, b), nn.LeakyReLU(0.2))]
    return nn.Sequential(*parts[:-1])  # nothing behind the last


class _Seeded(nn.Module):
    """A network whose first weights come from a seed, and which leaves torch's own random numbers alone."""

    def __init__(self, seed: int, build: Callable[[], None]):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            build()


class Vae(_Seeded):
    """A variational autoencoder: a picture is squeezed into a few numbers with some noise, and unfolded again."""

    def __init__(self, latent: Any = 8, width: Any = 256, seed: int = 0):
        def build():
            self.encoder = layers(PIXELS, width, width, 2 * latent)
            self.decoder = layers(latent, width, width, PIXELS)

        _whole("latent", latent, 1000, "8 suits the digits")
        _whole("width", width, 10_000, "256 suits the digits")
        super().__init__(seed, build)
        self.latent = latent
        self.spread = 0.3  # how far a pixel may be off at little cost: the larger, the blurrier

    def losses(
        self, shown: Float[Tensor, "picture 64"], generator: torch.Generator
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """How far the unfolded pictures are off, and what their numbers tell beyond plain noise, in nats a picture."""
        mean, log_variance = self.encoder(shown).chunk(2, dim=-1)
        noise = torch.randn(mean.shape, generator=generator)
        numbers = mean + torch.exp(log_variance / 2) * noise  # noise from outside, so that gradients pass
        off = (shown - self.decoder(numbers).tanh()) ** 2 / (2 * self.spread**2)
        return off.sum(dim=-1).mean(), divergence_from_noise(mean, log_variance).mean()

    @torch.no_grad()
    def draw(self, count: int, generator: torch.Generator) -> Float[Tensor, "picture 64"]:
        """Pictures unfolded from noise alone."""
        return self.decoder(torch.randn(count, self.latent, generator=generator)).tanh()


def divergence_from_noise(
    mean: Float[Tensor, "picture latent"], log_variance: Float[Tensor, "picture latent"]
) -> Float[Tensor, " picture"]:
    """The Kullback-Leibler divergence of normal distributions from the standard one, in nats, summed over the numbers.

    >>> divergence_from_noise(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))
    tensor([0.5000])
    """
    return (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=-1) / 2


class Gan(_Seeded):
    """Two networks: a forger that draws from noise, and an expert that gives real pictures a high score."""

    def __init__(self, noise: Any = 16, width: Any = 128, seed: int = 0):
        def build():
            self.forger = layers(noise, width, width, PIXELS)
            self.expert = layers(PIXELS, width, width, 1)

        _whole("noise", noise, 1000, "16 suits the digits")
        _whole("width", width, 10_000, "128 suits the digits")
        super().__init__(seed, build)
        self.noise = noise

    def expert_loss(
        self, shown: Float[Tensor, "picture 64"], forged: Float[Tensor, "picture 64"]
    ) -> Float[Tensor, ""]:
        """How surprised the expert is to hear which are real; the forger does not learn from it."""
        return F.softplus(-self.expert(shown)).mean() + F.softplus(self.expert(forged.detach())).mean()

    def forger_loss(self, forged: Float[Tensor, "picture 64"]) -> Float[Tensor, ""]:
        """How surprised the expert would be to hear that the forged ones are real."""
        return F.softplus(-self.expert(forged)).mean()

    def forge(self, count: int, generator: torch.Generator) -> Float[Tensor, "picture 64"]:
        """Pictures out of noise, through which gradients pass."""
        return self.forger(torch.randn(count, self.noise, generator=generator)).tanh()

    @torch.no_grad()
    def draw(self, count: int, generator: torch.Generator) -> Float[Tensor, "picture 64"]:
        """Pictures out of noise."""
        return self.forge(count, generator)


class Diffusion(_Seeded):
    """A diffusion model: it says which noise was put on a picture, so that it can be taken off, a little at a time."""

    def __init__(self, steps: Any = 50, width: Any = 384, seed: int = 0):
        def build():
            self.network = layers(PIXELS + 32, width, width, width, PIXELS)

        _whole(
            "steps", steps, 1000, "50 suits the digits", least=20
        )  # with fewer, noise would be left at the end
        _whole("width", width, 10_000, "384 suits the digits")
        super().__init__(seed, build)
        self.steps = steps
        self.added = torch.linspace(0.001, 15 / steps, steps).clamp(
            max=0.95
        )  # variance of the noise of each step
        self.kept = torch.cumprod(
            1 - self.added, dim=0
        )  # how much of the picture's variance is left after it
        rates = 1000 / steps * torch.exp(-torch.arange(16) / 16 * np.log(1000.0))
        angles = torch.arange(steps)[:, None] * rates
        self.clock = torch.cat([angles.sin(), angles.cos()], dim=-1)  # which step it is, as in notebook 03

    def noisy(
        self,
        shown: Float[Tensor, "picture 64"],
        step: Int[Tensor, " picture"],
        noise: Float[Tensor, "picture 64"],
    ) -> Float[Tensor, "picture 64"]:
        """Pictures after `step` + 1 steps of noise, in one go: equation 4."""
        kept = self.kept[step][:, None]
        return kept.sqrt() * shown + (1 - kept).sqrt() * noise

    def guess(
        self, seen: Float[Tensor, "picture 64"], step: Int[Tensor, " picture"]
    ) -> Float[Tensor, "picture 64"]:
        """The noise in what it sees."""
        return self.network(torch.cat([seen, self.clock[step]], dim=-1))

    def loss(self, shown: Float[Tensor, "picture 64"], generator: torch.Generator) -> Float[Tensor, ""]:
        """How far the guessed noise is off, squared, at steps drawn alike: equation 14."""
        step = torch.randint(self.steps, (len(shown),), generator=generator)
        noise = torch.randn(shown.shape, generator=generator)
        return F.mse_loss(self.guess(self.noisy(shown, step, noise), step), noise)

    def film(self, count: int, generator: torch.Generator) -> Iterator[Float[Tensor, "picture 64"]]:
        """Noise, and what becomes of it after each step back: algorithm 2, with the picture it aims at kept in range."""
        seen = torch.randn(count, PIXELS, generator=generator)
        yield seen
        for at in reversed(range(self.steps)):
            noise = self.guess(seen, torch.full((count,), at)).detach()
            aim = ((seen - (1 - self.kept[at]).sqrt() * noise) / self.kept[at].sqrt()).clamp(-1, 1)
            before = self.kept[at - 1] if at else torch.tensor(1.0)
            seen = step_back(seen, aim, self.added[at], before)
            if at:
                spread = (self.added[at] * (1 - before) / (1 - self.kept[at])).sqrt()
                seen = seen + spread * torch.randn(seen.shape, generator=generator)
            yield seen

    def draw(self, count: int, generator: torch.Generator) -> Float[Tensor, "picture 64"]:
        """Pictures out of noise."""
        *_, last = self.film(count, generator)
        return last


def step_back(
    seen: Float[Tensor, "picture 64"],
    aim: Float[Tensor, "picture 64"],
    added: Float[Tensor, ""],
    before: Float[Tensor, ""],
) -> Float[Tensor, "picture 64"]:
    """Where a noisy picture most likely stood one step before, if it began as `aim`: equation 7.

    `added` is the variance of the noise of this step, and `before` how much of the picture was left before it.
    """
    kept = (1 - added) * before
    return (before.sqrt() * added * aim + (1 - added).sqrt() * (1 - before) * seen) / (1 - kept)


# ---------------------------------------------------------------------------------------------
# Training and drawing.


class Record(NamedTuple):
    """One step of training."""

    step: int  # counted from 1
    losses: tuple[
        float, ...
    ]  # VAE: off, divergence. GAN: expert, forger. Diffusion: squared error of the noise


def train(model: Any, shown: Any, steps: Any, rate: Any, seed: int = 0) -> Iterator[Record]:
    """Trains one of the three models on pictures, a batch a step, and yields what each step cost.

    The learning rate falls in a line to nearly 0. With the first step, raises ValueError for another model, for what are
    no pictures from -1 to 1, and for steps or a rate that can't be.
    """
    _check_artist(model)
    _check_pictures(shown)
    _whole("steps", steps, 10**6, "1500 suits the digits")
    if not isinstance(rate, int | float) or not 0 < rate <= 0.1:
        raise ValueError(f"rate must be above 0 and at most 0.1, got {rate!r}; 0.002 suits the digits")
    generator = torch.Generator().manual_seed(seed)
    gan = isinstance(model, Gan)
    parts = (model.expert, model.forger) if gan else (model,)
    averages = (0.5, 0.9) if gan else (0.9, 0.999)  # two that learn against each other should forget soon
    optimizers = [torch.optim.Adam(part.parameters(), rate, betas=averages) for part in parts]
    for step in range(1, steps + 1):
        batch = shown[torch.randint(len(shown), (BATCH,), generator=generator)]
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = rate * max(1 - (step - 1) / steps, 0.02)
        if gan:
            forged = model.forge(BATCH, generator)
            losses = [_learn(model.expert_loss(batch, forged), optimizers[0])]
            losses.append(_learn(model.forger_loss(forged), optimizers[1]))
        elif isinstance(model, Vae):
            off, divergence = model.losses(batch, generator)
            _learn(off + divergence, optimizers[0])
            losses = [off.item(), divergence.item()]
        else:
            losses = [_learn(model.loss(batch, generator), optimizers[0])]
        yield Record(step, tuple(losses))


def _learn(loss: Float[Tensor, ""], optimizer: torch.optim.Optimizer) -> float:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def samples(model: Any, count: Any, seed: int = 0) -> Float[np.ndarray, "picture 8 8"]:
    """New pictures, from -1 to 1; the same for the same seed. Raises ValueError for a count that can't be."""
    _check_artist(model)
    _whole("count", count, MOST, "200 is enough to count with")
    drawn = model.draw(int(count), torch.Generator().manual_seed(seed))
    return drawn.clamp(-1, 1).reshape(-1, 8, 8).numpy()


def film(model: Any, count: Any, seed: int = 0) -> Float[np.ndarray, "frame picture 8 8"]:
    """The pictures of `samples`, from noise alone to the end, a frame for each step."""
    if not isinstance(model, Diffusion):
        raise ValueError(f"a film needs a Diffusion, got {type(model).__name__}, which draws in one go")
    _whole("count", count, MOST, "4 fit on a page")
    frames = model.film(int(count), torch.Generator().manual_seed(seed))
    return torch.stack(list(frames)).clamp(-1, 1).reshape(model.steps + 1, -1, 8, 8).numpy()


def _whole(name: str, value: Any, most: int, hint: str, least: int = 1) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most:,}, got {value!r}; {hint}")


def _check_artist(model: Any) -> None:
    if not isinstance(model, Vae | Gan | Diffusion):
        raise ValueError(
            f"a model must be a Vae, a Gan or a Diffusion, got {type(model).__name__}; try generators.Vae()"
        )


def _check_pictures(shown: Any) -> None:
    if not (isinstance(shown, Tensor) and shown.ndim == 2 and len(shown) and shown.shape[1] == PIXELS):
        found = list(shown.shape) if hasattr(shown, "shape") else type(shown).__name__
        raise ValueError(
            f"pictures must be a tensor with {PIXELS} numbers a picture, got {found}; generators.pictures() gives some"
        )
    if not (shown.abs() <= 1).all():  # NaN is not, either
        raise ValueError(
            "pictures must hold numbers from -1 (paper) to 1 (ink), got others; scikit-learn's are divided by 8, less 1"
        )


def to_levels(drawn: Float[np.ndarray, "*any"]) -> Int[np.ndarray, "*any"]:
    """Pictures from -1 to 1 in the four shades of `pixels`.

    >>> to_levels(np.array([-1.0, -0.4, 0.3, 1.0])).tolist()
    [0, 1, 2, 3]
    """
    return pixels.quantise(np.clip(np.round(drawn * 8 + 8), 0, 16).astype(int))


def by_neighbours(count: Any, seed: int = 0) -> Int[np.ndarray, "picture 8 8"]:
    """Pictures by somebody who looks only at the pixels above and to the left: each shade rolled from counts.

    Each pixel fits its two neighbours, and nobody has the whole in mind.
    """
    _whole("count", count, MOST, "200 is enough to count with")
    counts = pixels.count_levels(pixels.digits("train").levels, "neighbours")
    points = uniforms(PIXELS * int(count), seed).reshape(count, 8, 8)
    drawn = np.zeros((count, 8, 8), dtype=int)
    for row in range(8):
        for column in range(8):
            odds = pixels.dice(counts, drawn).reshape(count, 8, 8, -1)[:, row, column].cumsum(axis=-1)
            drawn[:, row, column] = (points[:, row, column, None] >= odds[:, :-1]).sum(axis=-1)
    return drawn


# ---------------------------------------------------------------------------------------------
# What the pictures are worth.


class Inspected(NamedTuple):
    """What can be counted about some pictures; shares of all of them, but for `digits`."""

    clear: float  # all five of the most similar known digits agree, and are near
    digits: int  # how many of the ten occur among the clear ones
    patches: float  # patches of 3 by 3 pixels that stand somewhere in the training digits, exactly so
    one_piece: float  # whose ink hangs together
    copies: float  # that are a training digit, pixel for pixel


NEAR = 5  # for "clear": most differences, in shades, root of the sum of squares; real digits are at about 3.8


def inspect(levels: Any) -> Inspected:
    """Are they digits, and are their patches those of digits? For pictures in four shades, ``[picture, 8, 8]``.

    >>> inspect(pixels.digits("train").levels[:50]).patches
    1.0

    Raises ValueError for what are no such pictures.
    """
    known = pixels.digits("train").levels
    judged = pixels.default_judge()(levels)
    levels = np.asarray(levels)
    clear = (judged.sure == 1) & (judged.distance <= NEAR)
    inked = [ndimage.label(picture >= 2, np.ones((3, 3)))[1] for picture in levels]
    return Inspected(
        clear=float(clear.mean()),
        digits=len(np.unique(judged.labels[clear])),
        patches=float(np.isin(_patches(levels), _patches(known)).mean()),
        one_piece=float(np.mean(np.array(inked) == 1)),
        copies=float(np.isin(_numbers(levels), _numbers(known)).mean()),
    )


def _patches(levels: np.ndarray) -> np.ndarray:
    """One number for each 3 by 3 patch of each picture: its nine shades, read in base 4."""
    windows = np.lib.stride_tricks.sliding_window_view(levels, (3, 3), axis=(1, 2))
    return windows.reshape(len(levels), -1, 9) @ 4 ** np.arange(9)


def _numbers(levels: np.ndarray) -> np.ndarray:
    """Each picture as bytes, to compare them whole."""
    flat = np.ascontiguousarray(levels.reshape(len(levels), -1).astype(np.uint8))
    return flat.view(f"V{PIXELS}").ravel()
