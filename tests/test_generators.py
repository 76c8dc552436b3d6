"""A VAE, a GAN and a diffusion model against torch's own formulas and algebra, and what is counted about pictures."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch.distributions import Normal, kl_divergence

from helpers import generators, pixels
from helpers.generators import Diffusion, Gan, Vae

SHOWN = generators.pictures()
BUILD = {"vae": Vae, "gan": Gan, "diffusion": Diffusion}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_pictures_are_the_digits_of_the_split_and_no_others():
    images = load_digits().images
    test = generators.pictures("test")
    assert (len(SHOWN), len(test)) == (1285, 260)
    first = int(
        np.flatnonzero(np.isin(pixels.digits("all").sheets, np.unique(pixels.digits("test").sheets)))[0]
    )
    np.testing.assert_allclose(test[0].reshape(8, 8).numpy(), images[first] / 8 - 1)
    levels = generators.to_levels(SHOWN.reshape(-1, 8, 8).numpy())
    np.testing.assert_array_equal(levels, pixels.digits("train").levels)


@pytest.mark.parametrize("name", BUILD)
def test_the_seed_decides_the_weights_and_torchs_own_numbers_stay(name):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = BUILD[name](seed=3), BUILD[name](seed=3), BUILD[name](seed=4)
    assert torch.equal(torch.get_rng_state(), before)
    weights = [torch.cat([p.flatten() for p in model.parameters()]) for model in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.allclose(weights[0], weights[2])


def test_the_divergence_is_torchs():
    mean, log_variance = torch.randn(5, 3, generator=generator(1)), torch.randn(5, 3, generator=generator(2))
    there = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(dim=-1)
    torch.testing.assert_close(generators.divergence_from_noise(mean, log_variance), there)


def test_the_vaes_losses_by_hand():
    model, shown = Vae(latent=3, width=7), SHOWN[:4]
    off, divergence = model.losses(shown, generator(9))
    mean, log_variance = model.encoder(shown).chunk(2, dim=-1)
    spread = (log_variance / 2).exp()
    numbers = mean + spread * torch.randn(4, 3, generator=generator(9))
    there = -Normal(model.decoder(numbers).tanh(), 0.3).log_prob(shown) - (
        np.log(0.3) + np.log(2 * np.pi) / 2
    )
    torch.testing.assert_close(off, there.sum(dim=-1).mean())
    torch.testing.assert_close(
        divergence, kl_divergence(Normal(mean, spread), Normal(0.0, 1.0)).sum(-1).mean()
    )


def test_gradients_reach_the_vaes_encoder_through_the_noise():
    model = Vae(latent=3, width=7)
    model.losses(SHOWN[:4], generator())[0].backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.encoder.parameters())


def test_the_gans_losses_are_cross_entropies():
    model, shown = Gan(width=9), SHOWN[:6]
    forged = model.forge(6, generator())
    real, fake = model.expert(shown), model.expert(forged)
    there = F.binary_cross_entropy_with_logits(real, torch.ones(6, 1)) + F.binary_cross_entropy_with_logits(
        fake, torch.zeros(6, 1)
    )
    torch.testing.assert_close(model.expert_loss(shown, forged), there)
    torch.testing.assert_close(
        model.forger_loss(forged), F.binary_cross_entropy_with_logits(fake, torch.ones(6, 1))
    )


def test_the_expert_teaches_the_forger_nothing_by_itself():
    model = Gan(width=9)
    model.expert_loss(SHOWN[:6], model.forge(6, generator())).backward()
    assert all(parameter.grad is None for parameter in model.forger.parameters())
    assert all(parameter.grad is not None for parameter in model.expert.parameters())


def test_each_step_of_the_gan_moves_both_and_only_their_own():
    model = Gan(width=9)
    before = [parameter.clone() for parameter in model.parameters()]
    list(generators.train(model, SHOWN, 1, 0.001))
    assert all(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_noise_in_one_go_is_noise_step_by_step():
    """Equation 2 repeated has equation 4's mean and variance; both are worked out, nothing is drawn."""
    model = Diffusion(steps=20, width=5)
    scale, variance = 1.0, 0.0
    for at, added in enumerate(model.added.tolist()):
        scale, variance = scale * (1 - added) ** 0.5, variance * (1 - added) + added
        zero, one = torch.zeros(1, 64), torch.ones(1, 64)
        torch.testing.assert_close(model.noisy(one, torch.tensor([at]), zero), torch.full((1, 64), scale))
        torch.testing.assert_close(
            model.noisy(zero, torch.tensor([at]), one), torch.full((1, 64), variance**0.5)
        )
    assert model.kept[-1] < 0.01


def test_the_last_of_many_small_steps_is_noise():
    assert 0 < Diffusion().kept[-1] < 0.001


def test_a_step_back_is_bayes_rule():
    """The product of two normal curves: from the picture to one step before, and from there to what is seen."""
    added, before = torch.tensor(0.3), torch.tensor(0.6)
    aim, seen = torch.full((1, 64), 0.8), torch.full((1, 64), -0.2)
    mean_1, variance_1 = before**0.5 * 0.8, 1 - before
    mean_2, variance_2 = -0.2 / (1 - added) ** 0.5, added / (1 - added)
    there = (mean_1 / variance_1 + mean_2 / variance_2) / (1 / variance_1 + 1 / variance_2)
    torch.testing.assert_close(generators.step_back(seen, aim, added, before), there.expand(1, 64))


def test_who_knows_the_noise_gets_the_picture_back():
    model, picture = Diffusion(steps=20, width=5), SHOWN[:1]

    def guess(seen, step):
        kept = model.kept[step][:, None]
        return (seen - kept.sqrt() * picture) / (1 - kept).sqrt()

    model.guess = guess
    torch.testing.assert_close(model.draw(3, generator()), picture.expand(3, 64), atol=1e-4, rtol=0)


def test_the_clock_tells_all_steps_apart():
    clock = Diffusion().clock
    assert clock.shape == (50, 32)
    assert torch.pdist(clock).min() > 0.1


@pytest.mark.parametrize(("name", "rate"), [("vae", 0.002), ("gan", 0.001), ("diffusion", 0.002)])
def test_training_is_repeatable_and_lowers_what_it_should(name, rate):
    runs = [list(generators.train(BUILD[name](width=32), SHOWN, 60, rate)) for _ in range(2)]
    assert [record.step for record in runs[0]] == list(range(1, 61))
    np.testing.assert_allclose([r.losses for r in runs[0]], [r.losses for r in runs[1]], rtol=1e-4)
    if name != "gan":  # two that work against each other need not get better
        assert runs[0][-1].losses[0] < 0.97 * runs[0][0].losses[0]


@pytest.mark.parametrize("name", BUILD)
def test_samples_are_pictures_and_their_seed_decides(name):
    model = BUILD[name](width=16)
    one, same, other = (generators.samples(model, 5, seed) for seed in (3, 3, 4))
    assert one.shape == (5, 8, 8)
    assert np.abs(one).max() <= 1
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_a_film_ends_with_the_samples():
    model = Diffusion(steps=20, width=16)
    frames = generators.film(model, 4, seed=2)
    assert frames.shape == (21, 4, 8, 8)
    np.testing.assert_allclose(frames[-1], generators.samples(model, 4, seed=2), atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: generators.samples(Vae(), 0),
            "count must be a whole number from 1 to 2,000, got 0; 200 is enough",
        ),
        (lambda: generators.samples(Vae(), 2001), "got 2001"),
        (lambda: generators.film(Diffusion(), 1.5), "got 1.5; 4 fit on a page"),
        (lambda: generators.by_neighbours(True), "got True"),
        (lambda: list(generators.train(Vae(), SHOWN, 0, 0.1)), "steps must be a whole number from 1"),
        (lambda: list(generators.train(Vae(), SHOWN, 5, 0)), "rate must be above 0 and at most 0.1, got 0"),
        (
            lambda: list(generators.train(Vae(), SHOWN, 5, "fast")),
            "rate must be above 0 and at most 0.1, got 'fast'",
        ),
        (lambda: list(generators.train(Vae(), SHOWN * 8 + 8, 5, 0.1)), "pictures must hold numbers from -1"),
        (lambda: list(generators.train(Vae(), SHOWN * np.nan, 5, 0.1)), "pictures must hold numbers from -1"),
        (lambda: list(generators.train(Vae(), SHOWN[:0], 5, 0.1)), r"64 numbers a picture, got \[0, 64\]"),
        (lambda: list(generators.train(Vae(), SHOWN.reshape(-1, 8, 8), 5, 0.1)), r"got \[1285, 8, 8\]"),
        (lambda: list(generators.train(Vae(), [1], 5, 0.1)), "got list; generators.pictures"),
        (
            lambda: list(generators.train(pixels.load_pixels(), SHOWN, 5, 0.1)),
            "a model must be a Vae, a Gan or a",
        ),
        (lambda: generators.samples(None, 5), "got NoneType; try"),
        (lambda: generators.film(Vae(), 2), "a film needs a Diffusion, got Vae, which draws in one go"),
        (lambda: Vae(latent=0), "latent must be a whole number from 1 to 1,000, got 0"),
        (lambda: Vae(width="a"), "width must be a whole number from 1 to 10,000, got 'a'"),
        (lambda: Gan(noise=True), "noise must be a whole number"),
        (lambda: Diffusion(steps=5), "steps must be a whole number from 20 to 1,000, got 5"),
        (lambda: generators.pictures("exam"), "split"),
        (lambda: generators.inspect(np.zeros((2, 7, 8), dtype=int)), "8"),
    ],
)
def test_what_can_not_be_is_refused_in_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---------------------------------------------------------------------------------------------
# What is counted.


def test_real_digits_are_clear_and_training_digits_are_copies():
    train, test = (pixels.digits(split).levels for split in ("train", "test"))
    people = generators.inspect(test)
    assert people.clear > 0.85
    assert people.digits == 10
    assert people.copies == 0
    assert people.one_piece > 0.95
    seen = generators.inspect(train[:100])
    assert (seen.copies, seen.patches, seen.clear > 0.85) == (1, 1, True)


def test_patches_and_pieces_by_hand():
    blank = np.zeros((1, 8, 8), dtype=int)
    two, checks = blank.copy(), blank.copy()
    two[0, 0, 0] = two[0, 7, 7] = 3
    checks[0] = np.indices((8, 8)).sum(axis=0) % 2 * 3  # corners that touch hang together
    assert generators.inspect(blank).one_piece == 0
    assert generators.inspect(two).one_piece == 0
    assert generators.inspect(checks).one_piece == 1
    assert generators.inspect(checks).patches == 0
    assert generators.inspect(blank).patches == 1  # plain paper stands in many digits
    faint = np.ones((1, 8, 8), dtype=int)
    assert generators.inspect(faint).one_piece == 0  # light is no ink


def test_by_neighbours_rolls_the_counts():
    drawn = generators.by_neighbours(400, seed=1)
    assert drawn.shape == (400, 8, 8)
    np.testing.assert_array_equal(drawn[:7], generators.by_neighbours(7, seed=1))
    counts = pixels.count_levels(pixels.digits("train").levels, "neighbours")
    odds = pixels.dice(counts, drawn).reshape(400, 8, 8, 4)
    for row, column in ((0, 0), (3, 4), (7, 7)):
        expected, found = (
            odds[:, row, column].mean(axis=0),
            np.bincount(drawn[:, row, column], minlength=4) / 400,
        )
        np.testing.assert_allclose(found, expected, atol=0.08)


def test_local_patterns_do_not_make_a_digit():
    """What notebook 10 says about hands: the patches are much like those of digits, the whole is none."""
    people, local = (
        generators.inspect(pixels.digits("test").levels),
        generators.inspect(generators.by_neighbours(200)),
    )
    assert local.patches > 0.7 * people.patches
    assert local.clear < 0.05
    assert local.one_piece < 0.5
