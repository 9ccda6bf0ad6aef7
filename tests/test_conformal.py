"""Conformal intervals: coverage at new places, by known noise, noise that grows with flow, and errors that a block shares."""

import json

import numpy as np
import pytest

from thalweg.metrics import conformal
from thalweg.metrics.probabilistic import crps, interval_score

LEVELS = (0.5, 0.8, 0.9, 0.95)
DAYS = 100


def rivers(blocks, per_block, seed, noise=0.3, shared=0.0, members=1, spread=0.0, steeper=0.0):
    """Simulated (member, place, time) and observed (place, time) discharge, and the block of each place.

    ``noise`` is the standard deviation of ln of the observed over the true simulation, in which ``shared`` is that of a part which all
    days and places of a block have in common; ``steeper`` adds noise to high flows. Members differ by ``spread``.
    """
    generator = np.random.default_rng(seed)
    label = np.repeat(np.arange(blocks), per_block)
    logarithm = generator.normal(0, 1, (len(label), DAYS))
    size = noise + steeper * (logarithm > 0.5)
    common = shared * generator.normal(size=blocks)[label]
    observed = np.exp(logarithm + common[:, None] + size * generator.normal(size=logarithm.shape))
    simulated = np.exp(logarithm + spread * generator.normal(size=(members, *logarithm.shape)))
    return simulated, observed, label


def coverage(simulated, observed, fitted):
    lower, upper = conformal.intervals(simulated, fitted)
    return ((lower <= observed) & (observed <= upper)).mean((1, 2))


def test_intervals_of_known_noise_cover_what_they_say():
    """100 days at each of 400 new places: 40 000 independent errors, whose share has a standard error of up to 0.0025."""
    fitted = conformal.fit(*rivers(20, 4, seed=0), LEVELS)
    simulated, observed, _ = rivers(20, 20, seed=1)
    np.testing.assert_allclose(coverage(simulated, observed, fitted), LEVELS, atol=0.012)
    np.testing.assert_allclose(fitted["calibrated"], LEVELS, atol=0.02)  # nothing to be corrected


def test_intervals_are_those_of_the_noise():
    """For high flows, where the offset does not matter, the interval of 90 % is 1.645 standard deviations of ln q wide at either side."""
    fitted = conformal.fit(*rivers(40, 4, seed=0), LEVELS)
    lower, upper = conformal.intervals(np.full((1, 1, 1), 8.0), fitted)
    width = np.log(upper[2] / lower[2]).item()
    assert width == pytest.approx(2 * 1.645 * 0.3, rel=0.1)
    assert conformal.median(np.full((1, 1, 1), 8.0), fitted).item() == pytest.approx(8.0, rel=0.05)


def test_noise_that_grows_with_flow_is_covered_at_low_and_high_flow():
    fitted = conformal.fit(*rivers(20, 4, seed=0, steeper=0.6), LEVELS)
    simulated, observed, _ = rivers(20, 20, seed=1, steeper=0.6)
    lower, upper = conformal.intervals(simulated, fitted)
    covered = (lower[2] <= observed) & (observed <= upper[2])
    edges = np.quantile(simulated[0], [0.4, 0.8])
    shares = [covered[simulated[0] < edges[0]].mean(), covered[simulated[0] >= edges[1]].mean()]
    np.testing.assert_allclose(shares, 0.9, atol=0.03)


@pytest.mark.parametrize("shared", [0.3, 0.8])
@pytest.mark.parametrize("blocks", [6, 30])
def test_errors_that_a_block_shares_are_covered_at_new_blocks(blocks, shared):
    """The mean over 60 calibrations: with few blocks each one alone may be far from its level, their mean is near it."""
    found = []
    for seed in range(60):
        fitted = conformal.fit(*rivers(blocks, 4, seed, shared=shared), LEVELS)
        simulated, observed, _ = rivers(10, 1, 1000 + seed, shared=shared)
        found.append(coverage(simulated, observed, fitted))
    mean, error = np.mean(found, 0), np.std(found, 0) / np.sqrt(len(found))
    allowed = 0.06 if blocks == 6 else 0.02
    assert (np.abs(mean - LEVELS) < allowed + 2 * error).all(), mean


def test_leaving_out_blocks_corrects_for_what_places_of_a_block_share():
    """Were places of a block taken for independent, intervals would cover less than those that leave out whole blocks."""
    apart, together = [], []
    for seed in range(40):
        simulated, observed, label = rivers(5, 6, seed, shared=0.8)
        new = rivers(10, 1, 1000 + seed, shared=0.8)
        together.append(coverage(*new[:2], conformal.fit(simulated, observed, label, LEVELS))[1])
        apart.append(coverage(*new[:2], conformal.fit(simulated, observed, np.arange(len(label)), LEVELS))[1])
    assert np.mean(together) > np.mean(apart) + 0.02


def test_the_spread_of_members_is_used_only_where_it_tells_of_errors():
    generator = np.random.default_rng(0)
    logarithm, size = generator.normal(0, 1, (40, DAYS)), generator.choice([0.05, 0.8], (40, DAYS))
    observed = np.exp(logarithm + size * generator.normal(size=size.shape))
    blocks = np.arange(40) // 4
    telling = np.exp(logarithm + size * generator.normal(size=(8, *size.shape)))
    constant = np.exp(logarithm + 0.3 * generator.normal(size=(8, *size.shape)))
    fitted = conformal.fit(telling, observed, blocks, LEVELS)
    assert fitted["spread"] > 0
    assert conformal.fit(constant, observed, blocks, LEVELS)["spread"] == 0
    lower, upper = conformal.intervals(telling, fitted)
    covered = (lower[2] <= observed) & (observed <= upper[2])
    assert covered.mean() == pytest.approx(0.9, abs=0.02)
    assert np.median((upper - lower)[2][size > 0.1] / observed[size > 0.1]) > 2 * np.median(
        (upper - lower)[2][size < 0.1] / observed[size < 0.1]
    )


def test_each_place_counts_once_whatever_its_number_of_days():
    """One place with a long record and small errors, 19 with 15 days and larger ones."""
    generator = np.random.default_rng(0)
    simulated = np.ones((1, 20, 300))
    observed = np.exp(np.where(np.arange(20) == 0, 0.01, 0.5)[:, None] * generator.normal(size=(20, 300)))
    observed[1:, 15:] = np.nan
    fitted = conformal.fit(simulated, observed, np.arange(20) // 2, LEVELS)
    covered = np.where(np.isnan(observed), np.nan, 1.0)
    lower, upper = conformal.intervals(simulated, fitted)
    covered *= (lower[2] <= observed) & (observed <= upper[2])
    assert np.nanmean(covered[1:]) == pytest.approx(0.9, abs=0.05)


def test_a_calibration_is_small_plain_and_gives_nested_intervals_that_are_not_negative():
    fitted = conformal.fit(*rivers(10, 3, seed=0, noise=1.5, members=3, spread=0.2), LEVELS[::-1])
    assert len(json.dumps(fitted)) < 4000 and json.loads(json.dumps(fitted)) == fitted
    assert (fitted["places"], fitted["blocks"]) == (30, 10)
    simulated = rivers(3, 2, seed=1, members=3, spread=0.2)[0]
    simulated[:, 0, :5] = 0
    simulated[1, 1, 1] = np.nan
    lower, upper = conformal.intervals(simulated, fitted)
    assert lower.shape == upper.shape == (4, 6, DAYS)
    assert np.isnan(lower[:, 1, 1]).all() and np.isnan(upper).sum() == 4
    lower, upper = lower[:, 2:], upper[:, 2:]
    assert lower.min() >= 0 and (np.diff(lower, axis=0) <= 0).all() and (np.diff(upper, axis=0) >= 0).all()
    middle = conformal.median(simulated, fitted)[2:]
    assert ((lower[0] <= middle) & (middle <= upper[0])).all()


def test_stated_intervals_that_are_too_narrow_are_widened_to_their_level():
    simulated, observed, label = rivers(20, 4, seed=0)
    half = np.array([0.674, 1.282, 1.645, 1.960])[:, None, None]

    def stated(simulated, size):
        return simulated * np.exp(-size * half), simulated * np.exp(size * half)

    new, seen, _ = rivers(20, 20, seed=1)
    for size, sign in ((0.1, 1), (0.9, -1)):
        fitted = conformal.fit_quantiles(*stated(simulated, size), observed, label, LEVELS)
        assert (np.sign(fitted["more"]) == sign).all()
        lower, upper = conformal.widened(*stated(new, size), fitted)
        np.testing.assert_allclose(((lower <= seen) & (seen <= upper)).mean((1, 2)), LEVELS, atol=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"observed": np.ones((4, 3))}, "simulated has shape"),
        ({"levels": (90,)}, r"levels are \[90.0\]"),
        ({"observed": np.full((4, 5), -1.0)}, "observed has the value -1"),
        ({"observed": np.full((4, 5), np.nan)}, "0 places have simulated and observed values"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(change, message):
    given = {"simulated": np.ones((1, 4, 5)), "observed": np.ones((4, 5)), "blocks": np.arange(4), "levels": LEVELS}
    with pytest.raises(ValueError, match=message):
        conformal.fit(**given | change)


def test_the_interval_score_is_that_of_the_definition():
    assert interval_score(1.0, 3.0, 2.0, 0.9) == 2.0
    assert interval_score(1.0, 3.0, 0.5, 0.9) == pytest.approx(2.0 + 20 * 0.5)
    assert interval_score(1.0, 3.0, 4.0, 0.8) == pytest.approx(2.0 + 10 * 1.0)


def test_the_crps_of_many_quantiles_is_that_of_the_distribution():
    """Of a normal distribution: sigma (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)) (Gneiting & Raftery 2007)."""
    from scipy.stats import norm

    probabilities = (np.arange(2000) + 0.5) / 2000
    for observed in (-1.0, 0.3, 2.5):
        expected = observed * (2 * norm.cdf(observed) - 1) + 2 * norm.pdf(observed) - 1 / np.sqrt(np.pi)
        assert crps(norm.ppf(probabilities), probabilities, np.array(observed)) == pytest.approx(expected, rel=2e-3)
