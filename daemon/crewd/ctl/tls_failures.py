"""What keeps another machine from being asked: nobody there, no TLS, a certificate that nobody trusts. In sentences."""

import socket
import ssl

from crewd.ctl.failures import Fault, RequestError

NOT_YET_VALID, EXPIRED = 9, 10
OTHER_NAME, OTHER_ADDRESS = 62, 64
"""OpenSSL's X509_V_ERR_…"""


def unreachable(where: str, cause: OSError) -> RequestError:
    """Return why nobody could be asked, and what to do about it."""
    match cause:
        case ssl.SSLCertVerificationError():
            return RequestError(Fault.ABSENT, f"cannot trust {where}: {_distrust(cause)}")
        case ssl.SSLError():
            return RequestError(Fault.ABSENT, f"cannot speak TLS with {where}: {_refusal(cause)}")
        case TimeoutError():
            why = "it does not answer"
        case socket.gaierror():
            why = "no machine of that name is known here"
        case ConnectionRefusedError():
            why = "nobody listens there; is crewd running, and is that its `listen`?"
        case _:
            why = cause.strerror or str(cause)
    return RequestError(Fault.ABSENT, f"cannot reach crewd at {where}: {why}")


def cut_off(where: str, cause: Exception | None) -> RequestError:
    """Return what to say where the connection ended in the middle of an answer."""
    if isinstance(cause, ssl.SSLError) and cause.reason and "ALERT" in cause.reason:
        return RequestError(Fault.DENIED, f"cannot speak TLS with {where}: {_refusal(cause)}")
    return RequestError(Fault.ABSENT, f"cannot read the answer of crewd at {where}: it ended the connection")


def _distrust(cause: ssl.SSLCertVerificationError) -> str:
    match cause.verify_code:
        case code if code == EXPIRED:
            return "its certificate has expired"
        case code if code == NOT_YET_VALID:
            return "its certificate is not valid yet; do the clocks agree?"
        case code if code in {OTHER_NAME, OTHER_ADDRESS}:
            return "its certificate is for another name; say --host with the name that it is for"
        case _:
            signer = "nobody who is trusted here signed its certificate"
            return f"{signer} ({cause.verify_message}); --ca FILE names who did"


def _refusal(cause: ssl.SSLError) -> str:
    reason = cause.reason or ""
    if "CERTIFICATE_REQUIRED" in reason:
        return "it wants a certificate of yours: say --cert and --key"
    if "ALERT" in reason:
        said = reason.partition("ALERT_")[2].replace("_", " ").lower()
        return f"it does not take the certificate that you show ({said})"
    if reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}:
        return "what listens there speaks no TLS"
    return (cause.strerror or str(cause)).partition(" (_ssl.c")[0]
