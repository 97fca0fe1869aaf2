"""Keeping credentials out of run directories, which are copied, shared and published."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from crucible.errors import UserError

REDACTED = "[redacted]"
# Well-known shapes of credentials: Hugging Face, OpenAI-like, GitHub, GitLab, AWS, Slack, Google, NVIDIA, Groq, npm,
# PyPI, JWT, an Authorization header, PEM.
TOKEN = re.compile(
    r"\bhf_[A-Za-z0-9]{20,}|\bsk-[A-Za-z0-9_-]{20,}|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}"
    r"|\bglpat-[A-Za-z0-9_-]{20,}|\bAKIA[0-9A-Z]{16}\b|\bxox[abprs]-[A-Za-z0-9-]{10,}|\bAIza[0-9A-Za-z_-]{35}"
    r"|\bya29\.[A-Za-z0-9_-]{20,}|\bnvapi-[A-Za-z0-9_-]{20,}|\bgsk_[A-Za-z0-9]{20,}|\bnpm_[A-Za-z0-9]{36}"
    r"|\bpypi-[A-Za-z0-9_-]{20,}|\bBearer\s+[A-Za-z0-9._~+/-]{8,}=*"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
)
_NAME = (
    r"(?:[a-z0-9_.-]*[_.-])?"
    r"(?:api[_-]?key|access[_-]?key|private[_-]?key|secret(?:[_-]?key)?|password|passwd|(?:auth|access|hf|wandb|github)[_-]?token)"
)
ASSIGNED = re.compile(rf"(?i)\b({_NAME}|token)([\"']?\s*[:=]\s*[\"']?)([^\s\"',;]{{6,}})")
FLAG = re.compile(rf"(?i)(--?(?:{_NAME}|token)\s+)([^\s\"',;-][^\s\"',;]{{5,}})")  # --api-key abc
EXPORTED = re.compile(rf"(?i)\b{_NAME}=[\"']?[^\s\"',;$]{{6,}}")  # as a shell sets it; $NAME is no credential
CREDENTIAL_NAME = re.compile(rf"(?i){_NAME}")  # not plain *_token: eos_token is none
IN_URL = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s/:@]*):[^\s/@]+@")


def redact(text: str) -> str:
    """`text` with everything that looks like a credential replaced. Better one too many than one too few."""
    text = TOKEN.sub(REDACTED, text)
    text = IN_URL.sub(rf"\1:{REDACTED}@", text)
    text = FLAG.sub(rf"\1{REDACTED}", text)
    return ASSIGNED.sub(rf"\1\2{REDACTED}", text)


def refuse_secrets(config: Mapping[str, Any], at: str = "") -> None:
    """Errors: UserError naming the key, when a config holds a credential: config.yaml would publish it."""
    for name, value in config.items():
        where = f"{at}{name}"
        if isinstance(value, Mapping):
            refuse_secrets(value, f"{where}.")
        elif isinstance(value, str) and value:
            shapes = (TOKEN, IN_URL, EXPORTED)
            if CREDENTIAL_NAME.fullmatch(str(name)) or any(shape.search(value) for shape in shapes):
                raise UserError(
                    f"{where} looks like a credential, and config.yaml would store it; "
                    "put it into the environment instead"
                )
        elif isinstance(value, list | tuple):
            refuse_secrets({str(i): v for i, v in enumerate(value)}, f"{where}.")
