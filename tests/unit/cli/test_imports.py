import gc

import pytest

from foam_cli.core.imports import without_collecting


def test_garbage_is_collected_again_afterwards():
    with without_collecting():
        assert not gc.isenabled()
        with without_collecting():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), without_collecting():
        raise ImportError
    assert gc.isenabled()
