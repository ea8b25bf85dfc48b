"""What is wrong between weights and clusters, and in the steps of a rollout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from settings.rules.mistake import Mistake, as_far_as_known

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from settings.models import Settings


@as_far_as_known
def weight_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield clusters that weights lack or do not know, and sums of 0."""
    maps = {"weights": settings.weights} | {
        f"routes.{name}.weights": route.weights for name, route in settings.routes.items() if route.weights is not None
    }
    override = settings.gate.override
    if override and override.weights:
        maps["gate.override.weights"] = override.weights
    for key, weights in maps.items():
        yield from _mistakes_of_weights(settings, key, weights)


@as_far_as_known
def _mistakes_of_weights(settings: Settings, key: str, weights: Mapping[str, int]) -> Iterator[Mistake]:
    for cluster in (cluster for cluster in settings.clusters if cluster not in weights):
        yield Mistake(
            "CUT207",
            f"{key}.{cluster}",
            "missing. A target group that no rule names is not health-checked, and could not be told from a "
            "forgotten one. Every cluster stands in weights: write 0 for one that does not serve",
        )
    for cluster in (cluster for cluster in weights if cluster not in settings.clusters):
        yield Mistake(
            "CUT208",
            f"{key}.{cluster}",
            f"there is no cluster {cluster} (there are {', '.join(settings.clusters)}). Its share would go "
            "nowhere. Correct the key, or add the cluster",
        )
    if sum(weights.values()) == 0:
        yield Mistake(
            "CUT209",
            key,
            "the weights add up to 0. What a load balancer does then is documented nowhere. "
            "Give at least one cluster a weight above 0",
        )


@as_far_as_known
def rollout_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield steps of a rollout that do not rise to 100."""
    steps = settings.rollout.steps
    if list(steps) != sorted(steps) or steps[-1] != 100:  # noqa: PLR2004 - percent
        yield Mistake(
            "CUT210",
            "rollout.steps",
            f"{', '.join(map(str, steps))} do not rise to 100. A promotion would take traffic back on its way, or end "
            "with two clusters that serve. Order them, and write 100 last",
        )
