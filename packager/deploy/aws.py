"""The account that is deployed to: clients for its services, who is calling, and its refusals in words for people.

Settings come from where the AWS tools find them: the variables `AWS_*`, `~/.aws`, the machine's role. Nothing of a
credential gets into an error: what AWS says of a signature is not repeated, since it quotes the request's headers.
"""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from packager.errors import ToolError, UsageError

_ATTEMPTS = 6
"""Of one call, with growing pauses between them; `AWS_MAX_ATTEMPTS` and `max_attempts` in `~/.aws` override it."""

_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_CONNECTIONS = 16
_LONGEST = 400
"""Characters of AWS's own words that are repeated."""

type Explanation = tuple[str, str]
"""What is wrong, and what to do next."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls: the account's twelve digits, the ARN of the user or role, and the partition, `aws` or `aws-cn`."""

    account: str
    arn: str
    partition: str


class Aws:
    """One caller of AWS. Clients are made once for each service and region; they may be used by several threads."""

    def __init__(self, session: Any, region: str, account: str | None) -> None:
        self.region = region
        self._session = session
        self._expected = account
        self._clients: dict[tuple[str, str], Any] = {}
        self._identity: Identity | None = None
        self._lock = threading.RLock()

    def client(self, service: str, region: str | None = None) -> Any:
        """The client of a service, `s3` or `cloudformation`, in a region (default: the stage's).

        Its calls try again what may pass, throttling and lost connections, and slow down when AWS asks for it. Raises
        `ToolError` for settings that no client can be made with.
        """
        key = (service, region or self.region)
        with self._lock:
            if key not in self._clients:
                with explained(f"preparing calls of {service}"):
                    self._clients[key] = self._made(*key)
            return self._clients[key]

    @property
    def identity(self) -> Identity:
        """Who the credentials belong to; AWS is asked once.

        Raises `ToolError` without valid credentials, and if they are of another account than the stage's.
        """
        with self._lock:
            if self._identity is None:
                self._identity = self._asked()
            return self._identity

    @property
    def account(self) -> str:
        """The account's number, twelve digits. Raises as `identity` does."""
        return self.identity.account

    def close(self) -> None:
        """Close the connections of all clients."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def _made(self, service: str, region: str) -> Any:
        from botocore.config import Config  # noqa: PLC0415

        given = self._session.get_config_variable("max_attempts")
        config = Config(
            retries={"mode": "adaptive", **({} if given else {"total_max_attempts": _ATTEMPTS})},
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            max_pool_connections=_CONNECTIONS,
            tcp_keepalive=True,
            user_agent_extra="packager",
        )
        try:
            return self._session.create_client(service, region_name=region, config=config)
        except _failures():
            raise
        except ValueError as error:  # botocore's own for an address that is none
            raise UsageError(
                f"the address that the AWS settings give for {service} is none: {error}",
                hint="Give AWS_ENDPOINT_URL (or endpoint_url in ~/.aws/config) as http://HOST:PORT, or remove it.",
            ) from error

    def _asked(self) -> Identity:
        with explained("asking AWS whose credentials these are"):
            answer = self.client("sts").get_caller_identity()
        account, arn = answer["Account"], answer["Arn"]
        if self._expected and account != self._expected:
            raise ToolError(
                f"the credentials belong to the account {account} ({arn}), the stage to {self._expected}",
                hint=f"Use credentials of {self._expected}: choose a profile with --profile or AWS_PROFILE, or change "
                "`account` of the stage.",
            )
        return Identity(account, arn, arn.split(":")[1])


def connect(region: str, *, profile: str | None = None, account: str | None = None) -> Aws:
    """A caller of AWS in the stage's `region`. Nothing is asked of AWS yet.

    `profile` is one of `~/.aws` and goes before `AWS_PROFILE`; `account` is the only one that the stage may be
    deployed to. Raises `UsageError` for a profile that does not exist, `ToolError` for settings that cannot be read.
    """
    import botocore.session  # noqa: PLC0415 - half a second, for those who talk to AWS

    session = botocore.session.Session(profile=profile)
    with explained("reading the AWS settings"):
        known = session.available_profiles
        chosen = session.profile
        if chosen and chosen not in known:
            raise UsageError(
                f"the AWS profile {chosen!r} does not exist",
                hint=f"There are {', '.join(known)}." if known else "Make it with: aws configure sso",
            )
    return Aws(session, region, account)


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Failures of AWS and of the way to it, in the block, become a `ToolError` that says what was being done.

    `doing` completes "… failed": "uploading api.zip". Everything else passes.
    """
    try:
        yield
    except _failures() as error:
        what, hint = _explanation(error)
        raise ToolError(f"{doing} failed: {what}", hint=hint) from error


def error_code(error: BaseException) -> str | None:
    """AWS's name for a refusal (`NoSuchKey`, `ValidationError`; `404` where it only gave a status); None: not one."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else None


def _failures() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    return (BotoCoreError, ClientError)


def _explanation(error: Any) -> Explanation:
    return _no_answer(error) if error_code(error) is None else _refusal(error)


_SIGN_IN = (
    "Sign in with `aws sso login` or `aws login`, choose a profile with AWS_PROFILE, or set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY."
)
_RENEW = "Get new ones (`aws sso login`, `aws login`, or a new session token) and run the command again."
_COPY = (
    "Copy both keys anew, without spaces; they come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or "
    "~/.aws/credentials."
)
_LATER = "Run the command again: what is done already is not done twice."
_CLOCK = "Set this machine's clock by a time server; AWS takes at most five minutes of difference."

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"}
_UNKNOWN_KEYS = {
    *("InvalidClientTokenId", "InvalidAccessKeyId", "UnrecognizedClientException", "InvalidToken"),
    *("AuthFailure", "MissingAuthenticationToken", "MissingAuthenticationTokenException", "NotSignedUp"),
}
_SIGNATURES = {
    *("SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"),
    "IncompleteSignatureException",
}
_SKEWED = {"RequestTimeTooSkewed", "RequestInTheFuture", "RequestTimeTooSkewedException"}
_DENIED = {
    *("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AllAccessDisabled"),
    *("NotAuthorized", "UnauthorizedException", "Forbidden", "403"),
}
_THROTTLED = {
    *(
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
    ),
    *("TooManyRequestsException", "RequestLimitExceeded", "BandwidthLimitExceeded", "SlowDown"),
    *("LimitExceededException", "ProvisionedThroughputExceededException", "PriorRequestNotComplete"),
}
_WHO_MAY_WHAT = re.compile(
    r"User: (?P<who>\S+) is not authorized to perform: (?P<action>[\w:-]+)"
    r"(?: on resource: (?P<resource>\S+))?(?P<why> (?:because|with an explicit deny).*)?"
)


def _refusal(error: Any) -> Explanation:
    """What AWS's answer means. Codes: "Common Error Types" of the services' API references, S3 "Error responses"."""
    code, message = error_code(error), error.response["Error"].get("Message") or ""
    if code in _SKEWED or (code in _SIGNATURES and re.search("expired|not yet current", message)):
        return f"{_clocks(error)}, so AWS refused the signature", _CLOCK
    if code in _EXPIRED:
        return "the AWS credentials have expired", _RENEW
    if code in _UNKNOWN_KEYS:
        return (
            f"AWS does not know the credentials, or not in this region ({code})",
            f"{_SIGN_IN} A region that has to be switched on knows credentials only then.",
        )
    if code in _SIGNATURES:
        return (
            f"the secret access key does not fit the access key ({code})",
            _COPY,
        )
    if code in _DENIED:
        return _denial(error, message)
    if code in _THROTTLED:
        return (
            f"AWS asks for fewer calls ({code}) and did so until the last attempt",
            f"Wait a minute. {_LATER}",
        )
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    text = f"{code}: {_shortened(message)}" if message else str(code)
    if status >= 500:
        return (
            f"AWS has a fault of its own ({text})",
            f"{_LATER} See https://health.aws.amazon.com for the service.",
        )
    return f"AWS refused {error.operation_name} ({text})", "Mend what AWS names and run the command again."


def _denial(error: Any, message: str) -> Explanation:
    found = _WHO_MAY_WHAT.search(message)
    if found is None:
        said = f": {_shortened(message)}" if message and message not in {"Access Denied", "Forbidden"} else ""
        return (
            f"access denied to {error.operation_name}{said}",
            f"Let the caller's policies allow {error.operation_name}, or use other credentials (AWS_PROFILE).",
        )
    where = f" on {found['resource']}" if found["resource"] else ""
    why = _shortened(found["why"] or "")
    return (
        f"access denied: {found['who']} may not {found['action']}{where}{f' ({why})' if why else ''}",
        f"Let a policy allow {found['action']}{where} to {found['who']}, or use other credentials (AWS_PROFILE).",
    )


def _clocks(error: Any) -> str:
    """How far the clocks are apart, as the answer's own date tells."""
    date = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        minutes = round((datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds() / 60)
    except (TypeError, ValueError):
        minutes = 0
    if not minutes:
        return "this machine's clock and AWS's differ"
    return f"this machine's clock is {abs(minutes)} minutes {'ahead of' if minutes > 0 else 'behind'} AWS's"


def _no_answer(error: Any) -> Explanation:
    """What kept botocore from getting an answer."""
    from botocore.exceptions import ParamValidationError  # noqa: PLC0415

    if isinstance(error, ParamValidationError):
        return _shortened(error), "Report it: packager asked in a way that AWS does not take."
    return _no_credentials(error) or _no_connection(error) or (_shortened(error), _LATER)


def _no_credentials(error: Any) -> Explanation | None:
    from botocore import exceptions as kinds  # noqa: PLC0415

    match error:
        case kinds.NoCredentialsError():
            return "there are no AWS credentials", _SIGN_IN
        case kinds.PartialCredentialsError():
            missing = error.kwargs.get("cred_var")
            return f"the AWS credentials are incomplete: {missing} is missing", f"Set {missing}. {_SIGN_IN}"
        case kinds.SSOError() | kinds.LoginError() | kinds.TokenRetrievalError():
            return "the AWS sign-in has expired or was never made", _RENEW
        case kinds.CredentialRetrievalError() | kinds.MetadataRetrievalError():
            source = error.kwargs.get("provider", "the machine's role")
            hint = "`aws sts get-caller-identity` shows what that says."
            return f"the AWS credentials could not be had from {source}", hint
        case kinds.ConfigParseError() | kinds.ConfigNotFound():
            return _shortened(error), "Mend the file, or point AWS_CONFIG_FILE to another."
    return None


def _no_connection(error: Any) -> Explanation | None:
    from botocore import exceptions as kinds  # noqa: PLC0415

    match error:
        case kinds.NoRegionError():
            return "no AWS region is set", "Set `region` of the stage, or AWS_REGION."
        case kinds.UnknownEndpointError() | kinds.EndpointProviderError() | kinds.InvalidRegionError():
            return f"there is no such address ({_shortened(error)})", "Check the region of the stage."
        case kinds.SSLError():
            hint = "Behind a proxy that opens TLS, set AWS_CA_BUNDLE to its certificate."
            return f"the certificate of {_host(error)} is not trusted", hint
        case kinds.ProxyConnectionError():
            return "the proxy does not answer", "Check HTTPS_PROXY and NO_PROXY."
        case kinds.EndpointConnectionError() | kinds.ConnectTimeoutError():
            return f"{_host(error)} cannot be reached", f"{_own_address()}{_LATER}"
        case kinds.HTTPClientError() | kinds.ConnectionError() | kinds.IncompleteReadError():
            return f"the connection to {_host(error)} broke", f"{_own_address()}{_LATER}"
    return None


def _host(error: Any) -> str:
    """The host of the address in a botocore error; the whole may hold a query with a signature."""
    return urlsplit(str(error.kwargs.get("endpoint_url", ""))).netloc.rpartition("@")[2] or "AWS"


def _own_address() -> str:
    names = sorted(name for name in os.environ if name.startswith("AWS_ENDPOINT_URL"))
    if not names:
        return "Check the network, the VPN and the proxy. "
    return (
        f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} set: check that the server there runs. "
    )


def _shortened(text: object) -> str:
    words = " ".join(str(text).split())
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"
