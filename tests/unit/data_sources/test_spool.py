"""Documents that lie on disk are those that were put there, and take no memory."""

import tracemalloc

import pytest

from foam_cli.data import spool
from foam_cli.data.spool import Spool

DOCUMENTS = [{"text": f"é \u2028 {n}\n", "name": f"line {n}"} for n in range(7)]


@pytest.mark.parametrize("in_memory", [1, 1 << 20])
def test_they_are_what_was_put_there(in_memory, monkeypatch):
    monkeypatch.setattr(spool, "IN_MEMORY", in_memory)
    found = Spool(iter(DOCUMENTS))
    assert len(found) == 7 and list(found) == list(found) == DOCUMENTS
    assert found[-1] == DOCUMENTS[-1] and list(found[1:3]) == DOCUMENTS[1:3]
    with pytest.raises(IndexError):
        found[7]
    some = found.take([4, 0, 2])
    del found  # the file stays as long as a part of it is read
    assert list(some) == [DOCUMENTS[4], DOCUMENTS[0], DOCUMENTS[2]] and some.take([1])[0] == DOCUMENTS[0]
    assert list(zip(some, some, strict=True)) == [(one, one) for one in some]
    assert not Spool([]) and list(Spool([])) == []


def test_they_take_no_memory(monkeypatch):
    monkeypatch.setattr(spool, "IN_MEMORY", 1 << 16)

    def documents():
        return ({"messages": [{"role": "user", "content": f"{n}" * 20}]} for n in range(4000))

    def held(make):
        tracemalloc.start()
        kept = make(documents())
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert len(kept) == 4000
        return size

    # A number of 8 bytes for each, and the file's buffer.
    assert held(Spool) < 4000 * 8 * 1.2 + (1 << 17) < held(list) / 5
