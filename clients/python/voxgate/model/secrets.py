"""Text that is to be shown, without what looks like a secret in it."""

from __future__ import annotations

import re

_SECRETS = (  # what stays of a secret is the first group
    re.compile(r"(://)[^/\s@]+(?=@)"),  # user:password
    re.compile(r"(\bvxg_[0-9a-f]+_)[\w-]+"),  # a token of ours; what is left is its id
    re.compile(r"()\beyJ[\w-]+\.[\w.-]+"),  # a JSON web token
    re.compile(r"(?i)(\bbearer )\S{6,}"),
    # After these mostly come words ("token not found"): what has a digit in it is none.
    re.compile(r"(?i)(\b(?:token|basic) )(?=\S*[\d=])\S{8,}"),
    re.compile(r"""(?i)((?:token|api[_-]?key|secret|password|passwd)["']?\s*[:=]\s*["']?)[^\s"',;&]+"""),
    re.compile(r"()\b[0-9a-fA-F]{40,}\b"),  # shorter ones are DVID's version ids
)


def without_secrets(text: str) -> str:
    """The text with stars in the place of tokens, passwords and keys, as far as they look like what they are."""
    for secret in _SECRETS:
        text = secret.sub(r"\1***", text)
    return text
