"""What a stage adds to a build: where it is deployed, under which name, with which values and safeguards.

`packager` reads it from `[tool.packager.stages.<name>]` and the stage's `.env` file; the stacks are a function of it
and of the manifest. One build serves every stage.
"""

from dataclasses import dataclass, field

EDGE_REGION = "us-east-1"
"""Where CloudFront and what belongs to it lives, whatever the stage's region is."""


@dataclass(frozen=True, slots=True)
class Domain:
    """A name of one's own for the distribution. `certificate` is an ARN of ACM in us-east-1.

    `zone_id` is a hosted zone of Route 53 in which the record is made; None: the record is made elsewhere.
    """

    name: str
    certificate: str
    zone_id: str | None = None


@dataclass(frozen=True, slots=True)
class ApiDomain:
    """A name of one's own for the HTTP API, whose execute-api URL is off then. `certificate`: of ACM, same region."""

    name: str
    certificate: str
    zone_id: str | None = None


@dataclass(frozen=True, slots=True)
class Throttle:
    """Of the whole HTTP API: requests a second, and how many may come at once (API Gateway, stage throttling)."""

    rate: int = 1000
    burst: int = 2000


@dataclass(frozen=True, slots=True)
class Alarms:
    """When somebody is told. `email` gets a mail; `errors` and `throttles` are counts in five minutes, `p95` a share
    of the function's timeout, `server_errors` the share of 5xx answers of the API and the distribution in percent."""

    email: str | None = None
    errors: int = 1
    throttles: int = 1
    p95: float = 0.8
    server_errors: float = 1.0


@dataclass(frozen=True, slots=True)
class Canary:
    """CodeDeploy shifts `percent` of the requests first, and all after `minutes`, unless an alarm goes off."""

    percent: int = 10
    minutes: int = 5


@dataclass(frozen=True, slots=True)
class Permission:
    """One statement that the roles of `functions` (names of the manifest; none: all of them) allow besides their own.

    `actions` are such as `dynamodb:GetItem`, `resources` ARNs or `*`; `{stage}` is replaced already.
    """

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    functions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """One deployment of an app.

    `variables` are values of this stage alone, laid over the manifest's; `cdn` False leaves CloudFront out, which only
    the target `regional` and apps without edge routes can do. `concurrency` is reserved for each function. `waf` puts
    AWS's managed rules and a limit of `waf_rate` requests in five minutes from one address before the distribution.
    `retain` keeps log groups when the stage is destroyed. `permissions` are what the app's own calls of AWS need;
    the tool never adds any by itself. `account` is the only one that the stage may be deployed to. `log_days` is one
    of CloudWatch's retention periods. `keep_releases` is how many deployments can be gone back to.

    Two are for edge functions of the target `web-function`: `code_bucket` holds their code, a bucket of us-east-1 with
    versions that Lambda may read, and `edge_regions` are where they run besides us-east-1 (none: in `region`).
    """

    name: str
    region: str = EDGE_REGION
    variables: dict[str, str] = field(default_factory=dict)
    cdn: bool = True
    domain: Domain | None = None
    api_domain: ApiDomain | None = None
    waf: bool = False
    waf_rate: int = 2000
    log_days: int = 30
    retain: bool = False
    concurrency: int | None = None
    throttle: Throttle = field(default_factory=Throttle)
    alarms: Alarms = field(default_factory=Alarms)
    canary: Canary | None = None
    tracing: bool = True
    termination_protection: bool = False
    permissions: tuple[Permission, ...] = ()
    code_bucket: str | None = None
    edge_regions: tuple[str, ...] = ()
    permissions_boundary: str | None = None
    account: str | None = None
    keep_releases: int = 10
    tags: dict[str, str] = field(default_factory=dict)
