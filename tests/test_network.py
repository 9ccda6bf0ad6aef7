"""River topology: ids matter, order does not; impossible networks are refused by name."""

import numpy as np
import pytest

from thalweg.basin.network import NetworkError, River

REACHES = ["a", "b", "c", "d", "e"]
DOWNSTREAM = ["c", "c", "e", "e", ""]
LOCAL = np.array([1.0, 2.0, 4.0, 8.0, 16.0])


def test_accumulation():
    assert River(REACHES, DOWNSTREAM).accumulate(LOCAL).tolist() == [1, 2, 7, 8, 31]


def test_order_of_the_file_does_not_matter():
    order = np.random.default_rng(1).permutation(5)
    river = River(np.array(REACHES)[order], np.array(DOWNSTREAM)[order])
    total = dict(zip(river.reach, river.accumulate(LOCAL[order])))
    assert total == dict(zip(REACHES, [1, 2, 7, 8, 31]))
    upstream = river.upstream(["c", "e"]).toarray().astype(bool)
    assert [set(river.reach[row]) for row in upstream] == [set("abc"), set("abcde")]


@pytest.mark.parametrize(
    ("reach", "downstream", "message"),
    [
        (["a", "b", "c"], ["b", "c", "a"], "cycle: a -> b -> c -> a|cycle: b -> c -> a -> b|cycle: c -> a -> b -> c"),
        (["a"], ["a"], "cycle: a -> a"),
        (["a", "a"], ["", ""], "reach 'a' appears more than once"),
        (["a"], ["z"], "'a' drains to 'z', which is not in the network"),
    ],
)
def test_impossible_networks_are_refused(reach, downstream, message):
    with pytest.raises(NetworkError, match=message):
        River(reach, downstream, "network.nc")


def test_a_place_off_the_network_is_refused():
    with pytest.raises(NetworkError, match="'x'"):
        River(REACHES, DOWNSTREAM).positions(["a", "x"])


def test_a_deep_network_does_not_exhaust_the_stack():
    count = 50_000
    names = [str(i) for i in range(count)]
    river = River(names, [*names[1:], ""])
    assert river.accumulate(np.ones(count))[-1] == count
    assert river.upstream([names[-1]]).nnz == count
