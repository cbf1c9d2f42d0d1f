"""Certificates, made by openssl: an authority, servers and clients."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: str
    key: str


class Authority:
    """One that signs, in a folder of its own."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self.certificate = f"{folder}/{name}.pem"
        self._key = f"{folder}/{name}.key"
        _openssl(
            *("req", "-x509", *CURVE, "-subj", f"/CN={name}", "-days", "2"),
            *("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"),
            *("-keyout", self._key, "-out", self.certificate),
        )

    def sign(self, common_name: str, *names: str, file: str = "", days: str = "2") -> Pair:
        """Return a new certificate. ``names``: as openssl writes alternative names, ``DNS:x``, ``IP:127.0.0.1``."""
        stem = f"{self._folder}/{file or common_name}"
        pair = Pair(f"{stem}.pem", f"{stem}.key")
        _openssl("req", "-new", *CURVE, "-subj", f"/CN={common_name}", "-keyout", pair.key, "-out", f"{stem}.csr")
        Path(f"{stem}.ext").write_text(
            f"subjectAltName={','.join(names)}\n" if names else "basicConstraints=CA:FALSE\n"
        )
        _openssl(
            *("x509", "-req", "-in", f"{stem}.csr", "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial"),
            *("-days", days, "-extfile", f"{stem}.ext", "-out", pair.certificate),
        )
        return pair


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
