"""One container: its process, its restarts, its probes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from deploy.sandbox.children import die_with_parent
from deploy.sandbox.kubelet.environment import ConfigMissingError
from deploy.sandbox.kubelet.images import ImageMissingError, command_line
from deploy.sandbox.kubelet.probes import Probe, before_stop, probe_of, readiness_probe_of, succeeds
from deploy.sandbox.kubelet.status import ContainerReport, Running, Terminated, Waiting
from handlers.adapters.errors import AdapterError
from handlers.adapters.kube import Object

_LONGEST_BACKOFF = 300.0
_STEADY = 600.0
"""Seconds after which a crash counts as the first one again."""
_CONFIG_RETRY = 1.0
_START_ERROR = 128
"""Exit code of a container whose process cannot be started, as container runtimes report it."""
_EAGER_PROBE = 0.2
"""Until a container was ready once it is probed at least that often: a demo need not wait ten seconds for `ready`."""


class Container:
    """``changed`` is called after each change of :attr:`report`; ``variables`` resolves the environment at each start.

    ``backoff`` in seconds is the wait after the second crash or the first missing image; it doubles up to 300 s.
    """

    def __init__(
        self,
        spec: Object,
        *,
        host: str,
        restart_policy: str,
        variables: Callable[[Object], Awaitable[Mapping[str, str]]],
        log: Path,
        changed: Callable[[], None],
        restarts: int = 0,
        backoff: float = 10,
    ) -> None:
        self.spec = spec
        self.report = ContainerReport(spec["name"], spec["image"], restarts=restarts)
        self._host = host
        self._restart_policy = restart_policy
        self._variables = variables
        self._log = log
        self._changed = changed
        self._backoff = backoff
        self._process: asyncio.subprocess.Process | None = None
        self._environment: Mapping[str, str] = {}
        self._stopping = False

    def _set(self, report: ContainerReport) -> None:
        if report != self.report:
            self.report = report
            self._changed()

    async def run(self) -> None:
        """Until the container is over for good (restart policy) or stopped."""
        crashes = 0
        while not self._stopping:
            argv = await self._prepared()
            began = datetime.now(UTC)
            code = await self._once(argv, began)
            ended = Terminated(code, began, datetime.now(UTC))
            self._set(replace(self.report, state=ended, ready=False, started=False))
            if self._stopping or self._over(code):
                return
            crashes = 1 if (ended.until - began).total_seconds() > _STEADY else crashes + 1
            await self._pause(crashes, ended)

    def _over(self, code: int) -> bool:
        return self._restart_policy == "Never" or (self._restart_policy == "OnFailure" and code == 0)

    async def _pause(self, crashes: int, ended: Terminated) -> None:
        """The first restart is immediate, as a kubelet does it."""
        restarted = replace(self.report, last=ended, restarts=self.report.restarts + 1)
        if crashes > 1:
            seconds = min(self._backoff * 2 ** (crashes - 2), _LONGEST_BACKOFF)
            why = f"back-off {seconds:g}s restarting failed container={self.report.name}"
            self._set(replace(self.report, state=Waiting("CrashLoopBackOff", why), last=ended))
            await asyncio.sleep(seconds)
        self.report = restarted

    async def _prepared(self) -> Sequence[str]:
        """The command line, once image and configuration are there; until then the report says what is missing."""
        seconds = self._backoff
        while True:
            try:
                argv = command_line(self.spec)
                self._environment = {**await self._variables(self.spec)}
            except ImageMissingError as error:
                self._set(replace(self.report, state=Waiting("ErrImagePull", str(error))))
                await asyncio.sleep(min(seconds, 2))
                why = f'Back-off pulling image "{self.spec["image"]}"'
                self._set(replace(self.report, state=Waiting("ImagePullBackOff", why)))
                await asyncio.sleep(seconds)
                seconds = min(seconds * 2, _LONGEST_BACKOFF)
            except ConfigMissingError as error:
                self._set(replace(self.report, state=Waiting("CreateContainerConfigError", str(error))))
                await asyncio.sleep(_CONFIG_RETRY)
            except AdapterError:
                await asyncio.sleep(_CONFIG_RETRY)
            else:
                return argv

    async def _once(self, argv: Sequence[str], began: datetime) -> int:
        try:
            self._process = process = await self._spawn(argv)
        except OSError as error:
            print(f"container {self.report.name} cannot be started: {error}", flush=True)
            return _START_ERROR
        self._set(replace(self.report, state=Running(began), id=f"process://{uuid.uuid4().hex}"))
        if self._stopping:
            self._signal(signal.SIGTERM)
        probing = asyncio.create_task(self._probe())
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            self._signal(signal.SIGKILL)
            await process.wait()
            raise
        finally:
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)
            self._end_group()
        return code if code >= 0 else 128 - code

    async def _spawn(self, argv: Sequence[str]) -> asyncio.subprocess.Process:
        with self._log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    async def _probe(self) -> None:
        if startup := probe_of(self.spec, "startupProbe"):
            await self._until_started(startup)
        self._set(replace(self.report, started=True))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._readiness(readiness_probe_of(self.spec)))
            if liveness := probe_of(self.spec, "livenessProbe"):
                group.create_task(self._liveness(liveness))

    async def _until_started(self, probe: Probe) -> None:
        await asyncio.sleep(probe.initial_delay)
        failed = 0
        while await self._ask(probe):
            failed += 1
            if failed >= probe.failures:
                await self._restart("startup")
            await asyncio.sleep(probe.period)

    async def _readiness(self, probe: Probe) -> None:
        await asyncio.sleep(probe.initial_delay)
        passed = failed = 0
        was_ready = False
        while True:
            wrong = await self._ask(probe)
            passed, failed = (0, failed + 1) if wrong else (passed + 1, 0)
            if passed >= probe.successes:
                was_ready = True
                self._set(replace(self.report, ready=True))
            elif failed >= probe.failures:
                self._set(replace(self.report, ready=False))
            await asyncio.sleep(probe.period if was_ready else min(probe.period, _EAGER_PROBE))

    async def _liveness(self, probe: Probe) -> None:
        await asyncio.sleep(probe.initial_delay)
        failed = 0
        while not self._stopping:
            failed = failed + 1 if await self._ask(probe) else 0
            if failed >= probe.failures:
                await self._restart("liveness")
                return
            await asyncio.sleep(probe.period)

    async def _ask(self, probe: Probe) -> str:
        return await succeeds(probe.check, self._host, probe.timeout, self._environment)

    async def _restart(self, probe: str) -> None:
        """The process ends, and :meth:`run` starts the next one."""
        print(f"container {self.report.name} failed its {probe} probe and is restarted", flush=True)
        self._signal(signal.SIGTERM)
        await asyncio.sleep(5)
        self._signal(signal.SIGKILL)

    @property
    def alive(self) -> bool:
        """Whether there is a process."""
        return self._process is not None and self._process.returncode is None

    async def stop(self) -> None:
        """Starts no other process, runs the preStop hook and asks the process to end."""
        self._stopping = True
        if self.alive and (hook := self.spec.get("lifecycle", {}).get("preStop")):
            await before_stop(hook, self.spec, self._host, self._environment)
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _end_group(self) -> None:
        """What a container's process left behind goes with it, as with a container's last process."""
        if self._process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
