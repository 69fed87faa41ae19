"""What the two clients have in common: resources, configuration, options for one call."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Optional, TypeVar, Union

from typing_extensions import Never, Self

from meshapi._connections import (
    ConnectionArguments,
    TransportHints,
    connections_of,
    is_network,
    tracing_of,
)
from meshapi._resources import Resources
from meshapi._settings import (
    NOT_GIVEN,
    Environment,
    Given,
    NotGiven,
    config_of,
    log_level,
    refuse_async_source,
    request_id_headers,
    token_of,
)
from meshapi_backends import new_retry_quota
from meshapi_core import (
    MeshAPIConfig,
    Proxies,
    RetryPolicy,
    Timeout,
    TokenSource,
    check_kind,
    hidden_values,
)
from meshapi_core.endpoints import R_co, explains_arguments

if TYPE_CHECKING:
    from meshapi._client_settings import ClientSettings
    from meshapi_backends import Budget, UsageTracker
    from meshapi_core.types import ModelInfo

T = TypeVar("T")
ClientT = TypeVar("ClientT", bound="Client[Any]")


class Configured:
    """A configuration in the place of a token: see `Client.from_config`."""

    reads_environment = False
    """Whether the client takes a proxy from the environment."""

    def __init__(self, config: MeshAPIConfig) -> None:
        check_kind("config", config, MeshAPIConfig)
        self.config = config


def carried(settings: "ClientSettings") -> dict[str, Any]:
    """The arguments of a client with the settings of another one: see `Client.settings`."""
    from meshapi._client_settings import (
        ClientSettings,
        config_of_settings,
        connections_of_settings,
    )

    check_kind("settings", settings, ClientSettings)
    token = Configured(config_of_settings(settings))
    token.reads_environment = True
    return {"token": token, **connections_of_settings(settings)}


def refuse_configured(connections: Any) -> None:
    """Refuse arguments of `from_config` that are part of the configuration."""
    if connections:
        from meshapi._unknown_arguments import of_configuration

        of_configuration(connections)


def configured(token: object, given: Given) -> MeshAPIConfig:
    """The configuration of a client: from its arguments and the environment, or a ready one.

    Args:
        token: from `token_of`, or a `Configured`.
        given: the other arguments.
    """
    if isinstance(token, Configured):
        config = token.config
    else:
        environment = Environment(os.environ)
        config = config_of(token, given, environment)
        if environment.get("MESHAPI_BLOCK_NETWORK"):
            from meshapi_core import NetworkGuard

            # A wrong value is refused here, not only by the first connection.
            NetworkGuard.of_variable(environment.get("MESHAPI_BLOCK_NETWORK"))
        level = log_level(environment)
        if level:
            from meshapi_backends import log_on_stderr

            log_on_stderr(level)
    if config.retry_quota is not None:
        return config
    return config.changed({"retry_quota": new_retry_quota()})


def hidden_given_token(token: object) -> object:
    """The token, hidden, or what stands for it; from the environment if it is not given."""
    return token if isinstance(token, Configured) else token_of(token, Environment(os.environ))


def _changes(
    config: MeshAPIConfig,
    timeout: Union[None, float, Timeout, NotGiven],
    max_retries: Optional[int],
    retry: Optional[RetryPolicy],
) -> dict[str, Any]:
    """The changed fields of a configuration, checked."""
    changes: dict[str, Any] = {}
    if timeout is not NOT_GIVEN:
        changes["timeout"] = Timeout.of(timeout)
    if max_retries is not None or retry is not None:
        policy = config.retry_policy if retry is None else retry
        check_kind("retry", policy, RetryPolicy, optional=True)
        if max_retries is not None:
            policy = policy.limited(max_retries)
        changes["retry"], changes["max_retries"] = policy, policy.max_retries
    return changes


def refuse_unknown(number: int, names: Sequence[str], init: Any, hints: TransportHints) -> NoReturn:
    """Raise TypeError for the first argument that a client does not take.

    Args:
        number: the number of positional arguments; the client takes none.
        names: the keywords that the client does not know.
        init: the client's `__init__`.
        hints: the words for the message.
    """
    from meshapi._unknown_arguments import of_clients

    raise of_clients(number, names, init, hints.field, hints.http_client)


class Portable:
    """A client whose settings can be pickled, but which cannot be pickled itself."""

    _config: MeshAPIConfig
    # For `settings`, but for the limits, which the connections have.
    _arguments: ConnectionArguments
    _sockets: Any
    # The `__init__` of the two clients. That of a subclass may take other arguments.
    _init: ClassVar[Any]

    @classmethod
    def _made(cls, **arguments: Any) -> Self:
        client = cls.__new__(cls)
        cls._init(client, **arguments)
        return client

    @classmethod
    @explains_arguments
    def from_settings(cls, settings: "ClientSettings") -> Self:
        """Return a client with the settings of one in another process: see `settings`.

        Raises:
            InvalidParamsError: this process does not have the token, or a header, that they name.
        """
        return cls._made(**carried(settings))

    @explains_arguments
    def settings(self, *, token_variable: Optional[str] = None) -> "ClientSettings":
        """Return what another process needs to make the same client; it can be pickled.

        There, `MeshAPI.from_settings(settings)` or `AsyncMeshAPI.from_settings(settings)` makes it.
        No secret is in the settings, nor are budgets and trackers. The token is the one in
        `MESHAPI_TOKEN` or `MESHAPI_API_KEY` of both processes, or comes from the function that this
        client has, which both can import.

        Args:
            token_variable: another variable that has the token in both processes.

        Raises:
            InvalidParamsError: the token is neither in a variable nor from a function of a module;
                or the client has another secret, or an object of this process, such as a transport.
                The message says what to do.
        """
        # Before anything can raise: it may be the token, by mistake.
        variable = None if token_variable is None else TokenSource.hidden(token_variable)
        del token_variable
        from meshapi._client_settings import settings_of

        arguments = self._arguments._replace(limits=self._sockets.limits)
        return settings_of(self._config, arguments, variable)

    def __reduce__(self) -> Any:
        # `copy` and `deepcopy` ask for it, too.
        raise TypeError(
            "a client cannot be copied or pickled, because it holds a token and connections; for"
            " another process, pickle client.settings(); for other options on the same connections"
            " use with_options()"
        )


class Client(Portable, Resources[R_co]):
    """What both clients have in common."""

    # What the client closes: its own connections, and a transport over an injected HTTP client.
    _own: tuple[Any, ...]
    _sockets: Any
    _transport: Any
    # At most the first of them, a `Watch` or an `AsyncWatch`, is told what calls do. The list is
    # shared by a client and those that `with_options` makes of it, and empty while nobody watches:
    # so a tracker of usage is switched on for all of them, and a call looks at nothing else.
    _watches: list[Any]

    if not TYPE_CHECKING:
        # To type checkers, this is the attribute that `Resources` declares.

        @cached_property
        def _runner(self) -> R_co:
            return self._new_runner()

    def _new_runner(self) -> R_co:
        """Return a runner for the client's config and transport."""
        raise NotImplementedError

    def _set_up(
        self, token: object, given: Given, arguments: ConnectionArguments, hints: TransportHints
    ) -> None:
        """Check the arguments of a client, and make what it consists of.

        Requests are sent over an HTTP client if given, else a transport if given, else connections
        of its own; in either case through the middleware, if there is any. Realtime sessions always
        use the client's own connections, none of which is opened before it is used.

        Args:
            token: from `hidden_given_token`.
            given: the arguments of its configuration.
            arguments: all others.
            hints: the words for error messages.
        """
        self._config = configured(token, given)
        if not hints.is_async:
            refuse_async_source(self._config)
        reads_environment = not isinstance(token, Configured) or token.reads_environment
        arguments.check(hints, reads_environment=reads_environment)
        functions = arguments.functions(hints)
        if not reads_environment and arguments.proxy is NOT_GIVEN:
            arguments = arguments._replace(proxy=None)
        self._arguments = arguments.kept()
        self._watches = []
        if arguments.hooks is not None or arguments.open_telemetry is not None:
            watch = self._new_watch(arguments.hooks, tracing_of(arguments.open_telemetry))
            self._watches.append(watch)
        arguments, proxies, is_network = connections_of(arguments, reads_environment)
        self._sockets = self._transport = self._new_pool(arguments, proxies)
        self._own = (self._sockets,)
        if self._watches:
            self._watches[0] = self._watches[0].of_owner(self._sockets)
        if arguments.transport is not None and not is_network:
            self._transport = arguments.transport
        if arguments.http_client is not None:
            self._transport = self._over(arguments.http_client)
            self._own = (self._sockets, self._transport)
        if functions:
            self._transport = self._behind(functions)

    @property
    def _network(self) -> Callable[[], Any]:
        """The function that finds the network by which the client waits and tells the time."""
        raise NotImplementedError

    @property
    def _own_network(self) -> Optional[Callable[[], Any]]:
        """The function that finds the network of the client's own connections, if given."""
        return self._network if is_network(self._arguments.transport) else None

    def _new_watch(self, hooks: Any, tracing: Any) -> Any:
        """Return what is told of the calls, after checking the hooks."""
        raise NotImplementedError

    def _new_pool(self, arguments: ConnectionArguments, proxies: Proxies) -> Any:
        """Return the client's own connections."""
        raise NotImplementedError

    def _over(self, http_client: Any) -> Any:
        """Return a transport over an HTTP client of the caller's."""
        raise NotImplementedError

    def _behind(self, middleware: tuple[Any, ...]) -> Any:
        """Return the client's transport, behind middleware."""
        raise NotImplementedError

    def with_options(
        self,
        *,
        timeout: Union[None, float, Timeout, NotGiven] = NOT_GIVEN,
        max_retries: Optional[int] = None,
        retry: Optional[RetryPolicy] = None,
        extra_headers: Optional[Mapping[str, Optional[str]]] = None,
        extra_query: Optional[Mapping[str, Any]] = None,
        extra_body: Optional[Mapping[str, Any]] = None,
        idempotency_key: Optional[str] = None,
        request_id: Optional[str] = None,
        budget: "Optional[Budget]" = None,
        **unknown: Never,
    ) -> Self:
        """Return a client with other options on the same connections; this one is unchanged.

        It is cheap: make one for a single call, `client.with_options(timeout=5).models.list()`.
        Only the client that it came from closes the connections.

        Args:
            timeout, max_retries, retry: as for the client; those not given stay as they are.
            extra_headers: headers that replace ours of the same name; a value of None removes ours.
                They are never sent to signed URLs. With `accept-encoding` you can ask for
                compressed responses.
            extra_query: query parameters of every request; booleans and lists are sent as in the
                parameters of methods.
            extra_body: fields of every JSON or form body, for what no parameter covers.
                All three are added to those of this client.
            idempotency_key: the key of every POST, instead of one that is drawn for each call. Use
                it for a single call: a gateway that knows the key does not do the work again.
            request_id: sent as X-Request-Id: 1 to 64 letters, digits, dots, underscores, colons and
                hyphens. A gateway that accepts it uses it as its own request ID.
            budget: stops calls once it is used up. A budget that this client has stays in force.

        Raises:
            InvalidParamsError, TypeError, ValueError: an option cannot be used.
        """
        # Before anything can raise: error trackers show the locals of frames that raise.
        if extra_headers is not None or extra_query is not None:
            extra_headers, extra_query = hidden_values(extra_headers), hidden_values(extra_query)
        if unknown:
            names = [*unknown]
            unknown.clear()
            from meshapi._unknown_arguments import of_options

            raise of_options(names, type(self))
        config = self._config
        changes = _changes(config, timeout, max_retries, retry)
        if extra_headers is not None or extra_query is not None or extra_body is not None:
            changes["extras"] = config.extras.extended(extra_headers, extra_query, extra_body)
        if request_id is not None:
            headers = request_id_headers(request_id)
            changes["extras"] = changes.get("extras", config.extras).with_headers(headers)
        if idempotency_key is not None:
            MeshAPIConfig.check_idempotency_key(idempotency_key)
            changes["idempotency_key"] = idempotency_key
            extras = changes.get("extras", config.extras)
            if extras.headers and "idempotency-key" in extras.headers:
                # A default header must not replace the key of this call.
                changes["extras"] = extras.without_header("idempotency-key")
        twin = self._twin(type(self), config.changed(changes))
        if budget is not None:
            twin._watches = [self._watch_with(budget)]
        return twin

    def _watch_with(self, budget: object) -> Any:
        """Return what is told of the calls, and also counts towards a budget."""
        from meshapi_backends import Budget

        check_kind("budget", budget, Budget)
        if isinstance(budget, Budget):
            budget.check_calls()
        watch = self._watches[0] if self._watches else self._new_watch(None, None)
        return watch.of_owner(self._sockets).with_budget(budget)

    def _counts(self, budget: object) -> bool:
        """Whether the calls of this client count towards a budget already."""
        return budget is not None and any(watch.counts(budget) for watch in self._watches)

    @explains_arguments
    def track_usage(
        self, *, budget: "Optional[Budget]" = None, prices: "Iterable[ModelInfo]" = ()
    ) -> "UsageTracker":
        """Add up what the calls in a `with` block use and cost, by model.

            with client.track_usage() as usage:
                client.chat.completions.create(...)
            print(usage.total.cost_usd, usage.by_model, usage.table())

        It counts the calls and streams of this client, and of those that `with_options` makes, that
        begin in the block, in tasks that are started in it, and in functions that run in threads by
        `asyncio.to_thread` or `trio.to_thread.run_sync`. In other threads, open a block with the
        same tracker: `with usage:`. Blocks may be nested, and each of them counts.

        Args:
            budget: stops the calls of the block once it is used up, with a `BudgetExceededError`.
            prices: what `client.models.list()` returns, to estimate the cost of requests for which
                the gateway names none. Without it, `usage.unpriced` counts them.

        Raises:
            TypeError: `budget` is no Budget.
            InvalidParamsError: `prices` are no models, or the budget has `seconds` or `failures`.
        """
        # Imported on first use: few programs track usage.
        from meshapi_backends import Budget, UsageTracker

        check_kind("budget", budget, Budget, optional=True)
        if budget is not None:
            budget.check_calls()
        watch = self._new_watch(None, None).of_owner(self._sockets)
        return UsageTracker(self._sockets, self._watches, watch, budget, prices)

    def _twin(self, kind: type[ClientT], config: MeshAPIConfig) -> ClientT:
        """Return a client of this kind on the connections of this one."""
        twin = object.__new__(kind)
        twin._config, twin._arguments = config, self._arguments
        twin._own, twin._sockets, twin._transport = (), self._sockets, self._transport
        twin._watches = self._watches
        return twin

    @property
    def config(self) -> MeshAPIConfig:
        """The configuration, which cannot be changed; its repr shows no token."""
        return self._config

    def __repr__(self) -> str:
        # Works without `_config`, too: error trackers show clients whose `__init__` raised.
        config: Optional[MeshAPIConfig] = vars(self).get("_config")
        where = "(not made)" if config is None else config.base_url
        return f"<{type(self).__name__} {where}>"
