"""What of a run's algorithm TRL's GRPOTrainer computes itself, read off the config; no model and no TRL is loaded."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from crucible.errors import UserError
from crucible.parts import locate

Owner = Literal["auto", "trl", "crucible"]
Options = dict[str, Any]

TRL_EPS = 1e-4  # what GRPOTrainer adds to the standard deviation of a group; no option of its
OF_CLIP = {"token_mean": "dapo", "seq_mean_token_mean": "grpo", "seq_mean_token_sum_norm": "dr_grpo"}
TOKEN_MEANS = ("dapo", "cispo", "vespo")  # over the tokens of an update in the mean of its step


@dataclass(frozen=True)
class Plan:
    """Who computes what, and why. `loss`: options of GRPOConfig for TRL's own loss, None where the run's objective is
    called in TRL's loop. `scale_rewards`: TRL's own advantages, None where TRL's loss is given the run's."""

    loss: Options | None
    scale_rewards: str | None
    why_loss: tuple[str, ...] = ()
    why_advantages: tuple[str, ...] = ()

    def in_words(self, version: str) -> str:
        """What a run says before its first step."""
        if self.loss is None:
            lacks = f": TRL lacks {'; '.join(self.why_loss)}" if self.why_loss else ""
            return f"TRL {version} drives this run with Crucible's objective{lacks}"
        level = ", a ratio per completion" if self.loss.get("importance_sampling_level") == "sequence" else ""
        words = f"TRL {version} drives this run with its own loss ({self.loss['loss_type']}{level})"
        if self.scale_rewards is not None:
            return f"{words} and its own advantages"
        return f"{words} on Crucible's advantages: TRL lacks {'; '.join(self.why_advantages)}"


def planned(algo: Mapping[str, Any], entropy: Mapping[str, Any], owner: Owner = "auto") -> Plan:
    """`owner` auto: TRL's loss and advantages where its numbers would be the run's, else the run's own; trl: refuse
    what TRL lacks; crucible: the run's objective in any case. Errors: UserError, one line, for what TRL lacks."""
    if owner == "crucible":
        return Plan(None, None)
    aggregation = _name(algo["aggregation"])
    loss = _name(algo["loss"])
    known = _LOSSES.get(loss)
    found: Options | str = f"algo/loss={loss} (it has {', '.join(_LOSSES)})"
    if known is not None:
        found = known(_options(algo["loss"]), aggregation)
    lacking = list(_beside(algo, entropy))
    if isinstance(found, str):
        lacking.insert(0, found)
    scale = _advantages(algo)
    if owner == "trl":
        wrong = [*lacking, *([] if scale in ("group", "none") else [scale])]
        if wrong:
            raise UserError(f"trainer.objective=trl: TRL lacks {'; '.join(wrong)}")
    if lacking or isinstance(found, str):
        return Plan(None, None, tuple(lacking))
    if scale in ("group", "none"):
        return Plan(found, scale)
    return Plan(found, None, (), (scale,))


# -- the loss: options of GRPOConfig, or what TRL lacks ------------------------------------------


def _clip(o: Options, aggregation: str) -> Options | str:
    """GRPO, DAPO and Dr. GRPO are one loss in three aggregations. TRL's `delta` bounds the ratio, which above
    1 + eps_high makes a difference for negative advantages alone: the dual clip."""
    if aggregation not in OF_CLIP:
        return f"algo/aggregation={aggregation} (it has {', '.join(OF_CLIP)})"
    cap = o["dual_clip"]
    if cap is not None and cap < 1 + o["eps_high"]:
        return f"algo.loss.dual_clip={cap} below 1 + eps_high (its delta bounds the ratio for either sign)"
    return {
        "loss_type": OF_CLIP[aggregation], "importance_sampling_level": "token",
        "epsilon": o["eps_low"], "epsilon_high": o["eps_high"], "delta": cap,
    }  # fmt: skip


def _gspo(o: Options, aggregation: str) -> Options | str:
    """The mean over a row's tokens is GSPO, the sum LUSPO."""
    kinds = {"seq_mean_token_mean": "grpo", "seq_mean_token_sum": "luspo"}
    if aggregation not in kinds:
        return f"algo/loss=gspo with algo/aggregation={aggregation} (it has {', '.join(kinds)})"
    return {
        "loss_type": kinds[aggregation], "importance_sampling_level": "sequence",
        "epsilon": o["eps_low"], "epsilon_high": o["eps_high"],
    }  # fmt: skip


def _cispo(o: Options, aggregation: str) -> Options | str:
    """TRL's epsilon_high is the cap itself."""
    if o["eps_low"] is not None:
        return f"a floor under CISPO's weight, algo.loss.eps_low={o['eps_low']} (give null)"
    if o["unified_mask"]:
        return "CISPO's algo.loss.unified_mask=true"
    if aggregation != "token_mean":
        return f"algo/loss=cispo with algo/aggregation={aggregation} (give token_mean)"
    return {"loss_type": "cispo", "importance_sampling_level": "token", "epsilon_high": 1.0 + o["eps_high"]}


def _sapo(o: Options, aggregation: str) -> Options | str:
    if aggregation != "seq_mean_token_mean":
        return f"algo/loss=sapo_soft_gate with algo/aggregation={aggregation} (give seq_mean_token_mean)"
    taus = {"sapo_temperature_pos": o["tau_positive"], "sapo_temperature_neg": o["tau_negative"]}
    return {"loss_type": "sapo", "importance_sampling_level": "token", **taus}


def _vespo(o: Options, aggregation: str) -> Options | str:
    if aggregation != "token_mean":
        return f"algo/loss=vespo with algo/aggregation={aggregation} (give token_mean)"
    return {
        "loss_type": "vespo", "importance_sampling_level": "token",
        "vespo_k_pos": o["k_positive"], "vespo_lambda_pos": o["lambda_positive"],
        "vespo_k_neg": o["k_negative"], "vespo_lambda_neg": o["lambda_negative"],
    }  # fmt: skip


_LOSSES: dict[str, Callable[[Options, str], Options | str]] = {
    "ppo_clip": _clip, "gspo": _gspo, "cispo": _cispo, "sapo_soft_gate": _sapo, "vespo": _vespo,
}  # fmt: skip


# -- everything beside the loss ------------------------------------------------------------------


def _beside(algo: Mapping[str, Any], entropy: Mapping[str, Any]) -> list[str]:
    """What else acts on the loss and is not TRL's."""
    found = []
    if (name := _name(algo["filter"])) != "keep_all":
        found.append(f"algo/filter={name} (it keeps every group: give keep_all)")
    if algo.get("correction"):
        found.append(f"algo/correction={_name(algo['correction'])}")
    if algo.get("kl") and hasattr(locate(algo["kl"]["_target_"]), "in_loss"):
        found.append("a reference that is the run's start policy for algo/kl=in_loss (it loads its own from a path)")
    found += [f"algo/auxiliary={name}" for name in algo.get("auxiliary") or {}]
    if (name := _name(entropy)) != "NoControl":
        found.append(f"entropy={name} as Crucible has it")
    return found


def _advantages(algo: Mapping[str, Any]) -> str:
    """`scale_rewards` where TRL's advantages are the run's numbers; else what TRL lacks."""
    if algo.get("shaping"):
        return f"algo/shaping={', '.join(algo['shaping'])}"
    if algo.get("kl") and hasattr(locate(algo["kl"]["_target_"]), "in_reward"):
        return "algo/kl=in_reward"
    name, o = _name(algo["advantage"]), _options(algo["advantage"])
    if name == "group_center":
        return "none"
    if name != "group_norm":
        return f"algo/advantage={name}"
    if o["std"] != "unbiased":
        return f"algo.advantage.std={o['std']} (it divides by G - 1)"
    if o["eps"] != TRL_EPS:
        return f"algo.advantage.eps={o['eps']:g} (it adds {TRL_EPS:g} to the std)"
    return "group"


def _name(node: Mapping[str, Any]) -> str:
    return str(node["_target_"]).rpartition(".")[2]


def _options(node: Mapping[str, Any]) -> Options:
    """What a part of the algorithm is called with, its defaults included."""
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(locate(node["_target_"])).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    return {**defaults, **{key: value for key, value in node.items() if not key.startswith("_")}}
