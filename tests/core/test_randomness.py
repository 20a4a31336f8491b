"""Test random numbers against an independent Philox, scipy's normal distribution and fixed values."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from ganstrata.core import randomness
from ganstrata.core.randomness import LARGEST_SEED, Stream, Use, inverse_normal, normals, uniforms
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

WORD = 2**64 - 1
GOLDEN = [
    ["-0x1.22cd1a0000000p+1", "-0x1.6714740000000p-1", "-0x1.380f160000000p+0", "0x1.4c209a0000000p-3"],
    ["0x1.7908920000000p-2", "-0x1.869bce0000000p+0", "-0x1.2c62160000000p+0", "-0x1.aa6fd40000000p-2"],
    ["0x1.d748320000000p+0", "-0x1.ea0cfc0000000p-7", "-0x1.f20fca0000000p-2", "-0x1.668a600000000p-1"],
]
GOLDEN_HASH = "13ead58645e03d5b3867fe90091e6ea92facef2fa23f57b217dcf6c4c3b01b5f"


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x64 with ten rounds, from the paper (Salmon et al. 2011)."""
    a, b, c, d = counter
    k, m = key
    for _ in range(10):
        low, high = 0xD2E7470EE14C6C93 * a, 0xCA5A826395121157 * c
        a, b, c, d = (high >> 64) ^ b ^ k, high & WORD, (low >> 64) ^ d ^ m, low & WORD
        k, m = (k + 0x9E3779B97F4A7C15) & WORD, (m + 0xBB67AE8584CAA73B) & WORD
    return [a, b, c, d]


def test_the_reference_used_here_gives_the_published_vector():
    # From the known-answer tests that accompany the paper.
    assert philox([0] * 4, [0] * 2) == [
        0x16554D9ECA36314C,
        0xDB20FE9D672D0FDC,
        0xD7E772CEE186176B,
        0x7E68B68AEC7BA23B,
    ]


@pytest.mark.parametrize(("seed", "sample", "part"), [(0, 0, 0), (1, 2**40 + 3, 0), (LARGEST_SEED, 5, 7)])
def test_bits_are_philox_of_seed_stream_use_part_and_sample(seed, sample, part):
    values = uniforms(seed, Stream.EDITING, Use.NOISE, sample, 8, part=part)
    key = [seed, (3 << 8) | 2]
    # numpy steps the counter before the first block.
    words = [word for block in (1, 2) for word in philox([block, part, sample, 0], key)]
    assert values.tolist() == [((word >> 11) + 0.5) / 2**53 for word in words]


def test_numbers_are_what_they_always_were():
    values = normals(0, Stream.PROBING, Use.LATENT, range(3), 4)
    assert [[value.hex() for value in row] for row in values.tolist()] == GOLDEN
    many = normals(2024, Stream.VERIFICATION, Use.NOISE, range(100, 356), 64, part=3)
    assert hashlib.sha256(many.astype("<f4").tobytes()).hexdigest() == GOLDEN_HASH


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, LARGEST_SEED),
    st.integers(0, 2**41),
    st.integers(1, 9),
    st.integers(0, 9),
    st.integers(1, 7),
)
def test_slicing_changes_no_byte(seed, start, length, cut, width):
    whole = normals(seed, Stream.PROBING, Use.LATENT, range(start, start + length), width)
    middle = start + min(cut, length)
    parts = [
        normals(seed, Stream.PROBING, Use.LATENT, part, width)
        for part in (range(start, middle), range(middle, start + length))
    ]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    narrower = normals(seed, Stream.PROBING, Use.LATENT, range(start, start + length), 1)
    assert narrower.tobytes() == whole[:, :1].tobytes()


def test_sources_are_independent():
    rows = {
        (seed, stream, use, part): normals(seed, stream, use, range(40), 100, part=part).ravel()
        for seed in (0, 1, LARGEST_SEED)
        for stream in Stream
        for use in Use
        for part in (0, 1)
    }
    table = np.stack(list(rows.values())).astype(np.float64)  # (96, 4000)
    correlations = np.corrcoef(table)[np.triu_indices(len(table), 1)]
    # 4560 correlations of 4000 pairs: the largest is about 3.9 of their standard errors.
    assert np.abs(correlations).max() < 5.0 / np.sqrt(4000)
    assert stats.kstest(correlations * np.sqrt(4000), "norm").pvalue > 0.001


def test_samples_of_a_stream_are_independent():
    x = normals(5, Stream.PROBING, Use.LATENT, range(2000), 8).astype(np.float64)
    neighbours = [np.corrcoef(x[1:, i], x[:-1, i])[0, 1] for i in range(8)]
    assert np.abs(neighbours).max() < 4.5 / np.sqrt(2000)
    correlations = np.corrcoef(x.T)[np.triu_indices(8, 1)]
    assert np.abs(correlations).max() < 4.5 / np.sqrt(2000)


@pytest.mark.parametrize("stream", list(Stream))
def test_values_are_standard_normal(stream):
    x = normals(11, stream, Use.LATENT, range(500), 100).ravel()
    assert x.dtype == np.float32
    assert stats.kstest(x, "norm").pvalue > 0.001
    assert stats.kstest(uniforms(11, stream, Use.LATENT, 0, 20_000), "uniform").pvalue > 0.001


def test_inverse_normal_agrees_with_scipy():
    rng = np.random.default_rng(0)
    p = np.concatenate(
        [
            rng.uniform(size=20_000),
            10.0 ** rng.uniform(-16.2, 0.0, 20_000),
            1.0 - 10.0 ** rng.uniform(-15.9, 0.0, 20_000),
        ]
    )
    p = p[(p > 0.0) & (p < 1.0)]
    values, expected = inverse_normal(p), special.ndtri(p)
    # Near one half the value is near zero and the difference p - 1/2 is all there is.
    np.testing.assert_allclose(values, expected, rtol=2e-14, atol=1e-16)
    assert inverse_normal(np.array([0.5]))[0] == 0.0


@settings(deadline=None, max_examples=100)
@given(st.floats(2.0**-54, 0.5))
def test_inverse_normal_is_odd(p):
    pair = inverse_normal(np.array([p, 1.0 - p]))
    if 1.0 - (1.0 - p) == p:
        assert pair[0] == -pair[1]
    assert pair[0] <= 0.0 <= pair[1]


def test_the_logarithm_is_exact_to_rounding():
    x = np.concatenate(
        [
            10.0 ** np.random.default_rng(1).uniform(-300, 0, 5000),
            [1.0, 0.5, 0.70710678118654752440, 2.0**-54],
        ]
    )
    np.testing.assert_allclose(randomness._logarithm(x), np.log(x), rtol=1e-15, atol=2e-16)


@pytest.mark.parametrize("word", [0, WORD])
def test_extreme_bits_stay_within_the_open_interval(monkeypatch, word):
    monkeypatch.setattr(randomness, "_bits", lambda *args: np.array([word], dtype=np.uint64))
    values = uniforms(0, Stream.NULL, Use.LATENT, 0, 1)
    assert 0.0 < values[0] < 1.0
    assert abs(abs(normals(0, Stream.NULL, Use.LATENT, range(1), 1)[0, 0]) - 8.2) < 0.2
