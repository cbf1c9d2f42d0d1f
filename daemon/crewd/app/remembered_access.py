"""Who may come in, as it stands in the daemon's memory: to JSON and back."""

from typing import Any

from crewd.model.access import HmacKey, Role, Roles, Tls
from crewd.model.spec import DaemonSpec


def access_members(spec: DaemonSpec) -> dict[str, Any]:
    """Return what is to be remembered; of a key the path of its secret."""
    tls = spec.tls
    return {
        "tls": None if tls is None else {"certificate": tls.certificate, "key": tls.key, "client_ca": tls.client_ca},
        "allowed_hosts": list(spec.allowed_hosts),
        "groups": dict(spec.roles.groups),
        "certificates": dict(spec.roles.certificates),
        "hmac_keys": {
            name: {"secret_file": key.secret_file, "role": key.role.value, "workers": list(key.workers)}
            for name, key in spec.hmac_keys.items()
        },
        "trusted_proxies": list(spec.trusted_proxies),
    }


def access_of(members: Any) -> dict[str, Any]:
    """Return the fields of a DaemonSpec; raises ValueError, KeyError, TypeError or AttributeError where it is none."""
    tls = members["tls"]
    return {
        "tls": None if tls is None else Tls(str(tls["certificate"]), str(tls["key"]), tls["client_ca"]),
        "allowed_hosts": tuple(members["allowed_hosts"]),
        "roles": Roles(_roles(members["groups"]), _roles(members["certificates"])),
        "hmac_keys": {
            str(name): HmacKey(str(key["secret_file"]), Role(key["role"]), tuple(key["workers"]))
            for name, key in members["hmac_keys"].items()
        },
        "trusted_proxies": tuple(members["trusted_proxies"]),
    }


def _roles(members: Any) -> dict[str, Role]:
    return {str(name): Role(role) for name, role in members.items()}
