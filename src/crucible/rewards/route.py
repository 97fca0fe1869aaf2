"""Another reward for each source of prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from crucible.errors import UserError, nearest
from crucible.rewards.base import Combined, put_together, valid
from crucible.rewards.nodes import asked_about, only_if_needed
from crucible.types import Completion, Context, Prompt, Reward, Scores


class Route(Combined):
    """Each row is scored by one part: the one whose `sources` list Prompt.source, else the part `otherwise`.

    A part is asked about its own rows only and logged over them (NaN elsewhere); a row is valid where its part has a
    value. A part's reference keys are needed on its own prompts alone. Ours, no paper.

    Errors: UserError for a source that no part is given and `otherwise` null, for one given to two parts, for names
    that are no parts, and for a prompt without a reference that its part reads.
    """

    def __init__(self, *, parts: Mapping[str, Reward], sources: Mapping[str, list[str]], otherwise: str | None = None):
        super().__init__(dict(parts))
        self.needs = ()  # asked of each part's own prompts, below
        for name in [*sources, *([] if otherwise is None else [otherwise])]:
            if name not in parts:
                raise UserError(f"reward route: no part {name}{nearest(name, parts)}; parts: {', '.join(parts)}")
        self.part_of: dict[str, str] = {}
        for name, listed in sources.items():
            for source in listed:
                if source in self.part_of:
                    raise UserError(f"reward route: source {source} belongs to both {self.part_of[source]} and {name}")
                self.part_of[source] = name
        self.otherwise = otherwise

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        places = [self.place(prompt) for prompt in prompts]
        for prompt, name in zip(prompts, places, strict=True):
            for key in self.parts[name].needs:
                if prompt.reference.get(key) is None:
                    lacking = f"which prompt {prompt.id} does not have"
                    raise UserError(f"reward route: {name} reads reference {key}, {lacking}")
        found, total = {}, torch.zeros(len(prompts))
        known = torch.zeros(len(prompts), dtype=torch.bool)
        for name, part in self.parts.items():
            rows = torch.tensor([place == name for place in places])
            found[name] = asked_about(name, part, rows, prompts, completions, context)
            known |= rows & valid(found[name])
            total = torch.where(rows & valid(found[name]), found[name].total, total)
        return replace(put_together(found, len(prompts)), total=total, valid=only_if_needed(known))

    def place(self, prompt: Prompt) -> str:
        """The name of the part that scores this prompt's answers."""
        name = self.part_of.get(prompt.source, self.otherwise)
        if name is None:
            raise UserError(
                f'reward route: no part for source "{prompt.source}" (prompt {prompt.id})'
                f"{nearest(prompt.source, self.part_of)}; add it to reward.sources or set reward.otherwise"
            )
        return name

    def needs_of(self, prompt: Prompt) -> tuple[str, ...]:
        """The keys of `Prompt.reference` that the part of this prompt reads."""
        needs: tuple[str, ...] = self.parts[self.place(prompt)].needs
        return needs
