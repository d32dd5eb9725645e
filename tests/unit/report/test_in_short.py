"""What a run learnt and forgot, in few numbers."""

import pytest

from foam_cli.report.in_short import in_short

RESULT = {
    "roles": {"a": "learnt", "b": "learnt", "loss": "learnt", "old": "kept", "page": "kept", "x": "other"},
    "primary": {"a": "acc", "b": "acc", "loss": "nats", "old": "acc", "page": "bits", "x": "acc"},
    "metrics": {
        "final/a/acc": 0.5, "final/b/acc": 1.0, "final/loss/nats": 3.0, "final/x/acc": 0.0,
        "base/old/acc": 0.9, "final/old/acc": 0.7, "base/page/bits": 1.5, "final/page/bits": 1.25,
    },
}  # fmt: skip


def test_learnt_is_the_mean_of_the_accuracies_and_forgotten_is_positive_where_it_is_worse():
    assert in_short(RESULT) == pytest.approx({"learnt": 0.75, "forgotten/old": 0.2, "forgotten/page": -0.25})


def test_what_was_not_measured_is_left_out():
    metrics = {
        key: value for key, value in RESULT["metrics"].items() if key not in ("final/b/acc", "base/old/acc")
    }
    assert in_short({**RESULT, "metrics": metrics}) == {"forgotten/page": -0.25}
    assert in_short({}) == {}
