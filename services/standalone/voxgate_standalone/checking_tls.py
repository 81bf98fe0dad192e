"""What is wrong with the files that the TLS of a voxgate.toml names."""

from __future__ import annotations

from voxgate.client.tls import tls_pems
from voxgate.model.errors import ConfigInvalid
from voxgate_gateway.settings import GatewaySettings
from voxgate_serving.tls import TlsFiles, load_certificate


def file_problems(server: TlsFiles, gateway: GatewaySettings) -> list[ConfigInvalid]:
    """A problem for each table whose files cannot be used; what is wrong whatever they hold is said elsewhere."""
    problems = []
    for where, files in (("server.tls", server), ("gateway.tls", gateway.tls)):
        if files.is_on and not files.problems(where):
            try:
                load_certificate(files, where)
            except ConfigInvalid as error:
                problems.append(error)
    tls = gateway.services_tls.tls
    if tls is not None:
        try:
            tls_pems(tls)
        except ConfigInvalid as error:
            problems.append(ConfigInvalid(error.message, error.remedy, details={"key": "gateway.services_tls"}))
    return problems
