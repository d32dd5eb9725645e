"""foam's scoring as a model of lm-evaluation-harness. Importing this needs the extra `lm-eval`."""

from collections.abc import Sequence
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.models.utils import normalize_gen_kwargs, postprocess_generated_text

from foam_cli.core.errors import DataError
from foam_cli.evaluation.generation import greedy_ids
from foam_cli.evaluation.language_modelling import rolling_logprobs
from foam_cli.evaluation.prompts import encode_all, encode_pairs
from foam_cli.evaluation.scoring import continuation_logprobs
from foam_cli.evaluation.subject import Progress, Subject


class FoamLM(LM):
    """A model that the harness may ask.

    Source: the interface `LM` of L. Gao et al., "The Language Model Evaluation Harness", 0.4.13.
    """

    def __init__(self, subject: Subject, progress: Progress) -> None:
        super().__init__()
        self.subject = subject
        self.progress = progress

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Score continuations.

        Args:
            requests: With (context, continuation).

        Returns:
            For each the log-likelihood in nats, and whether greedy decoding would have written it.
        """
        scores = continuation_logprobs(
            self.subject.model,
            encode_pairs(self.subject.tokenizer, [_two(request) for request in requests]),
            batch_tokens=self.subject.batch_tokens,
            max_length=self.subject.max_length,
            progress=self.progress,
            journal=self.subject.journal,
        )
        return [(score.logprob, score.greedy) for score in scores]

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        """Score whole texts.

        Args:
            requests: With (text,).

        Returns:
            For each its log-likelihood in nats.
        """
        texts = [str(request.args[0]) for request in requests]
        scores = rolling_logprobs(self.subject, texts, self.subject.max_length, self.progress)
        return [score.logprob for score in scores]

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """Continue texts greedily.

        Args:
            requests: With (context, settings).

        Returns:
            For each what was written before the first of its stop texts.
        """
        found: dict[int, str] = {}
        settings = [_greedy(request) for request in requests]
        for one in {repr(some): some for some in settings}.values():
            places = [place for place, other in enumerate(settings) if other == one]
            texts = self._generate([str(requests[place].args[0]) for place in places], *one)
            found.update(zip(places, texts, strict=True))
        return [found[place] for place in range(len(requests))]

    def _generate(self, contexts: Sequence[str], until: list[str], max_new_tokens: int) -> list[str]:
        tokenizer: Any = self.subject.tokenizer
        replies = greedy_ids(
            self.subject.model,
            tokenizer,
            encode_all(tokenizer, contexts),
            max_new_tokens=max_new_tokens,
            stop_ids=frozenset({tokenizer.eos_token_id} - {None}),
            batch_tokens=self.subject.batch_tokens,
            max_length=self.subject.max_length,
            progress=self.progress,
            journal=self.subject.journal,
            until=until,
        )
        texts = [str(tokenizer.decode(ids, skip_special_tokens=True)) for ids in replies]
        return [postprocess_generated_text(text, until, None) for text in texts]


def _two(request: Instance) -> tuple[str, str]:
    arguments: tuple[Any, ...] = request.args
    return str(arguments[0]), str(arguments[1])


def _greedy(request: Instance) -> tuple[list[str], int]:
    """Stop texts and length, if no sampling is asked for."""
    arguments: tuple[Any, ...] = request.args
    settings: dict[str, Any] = dict(normalize_gen_kwargs(dict(arguments[1]), 256))
    if settings.get("do_sample") or settings.get("temperature", 0.0) > 0:
        raise DataError(
            f"lm_eval/{request.task_name}: samples its answers (temperature {settings.get('temperature')}); "
            "foam answers greedily only"
        )
    return [str(text) for text in settings["until"] if text], int(settings["max_gen_toks"])
