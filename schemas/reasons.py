"""Why something was decided, in one word that programs can match."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why something was decided: shared by Events, conditions, results and logs."""

    INITIALIZING = "Initializing"
    INITIALIZED = "Initialized"
    PROVIDERS_AVAILABLE = "ProvidersAvailable"
    NEW_REVISION = "NewRevision"
    RESTARTED = "Restarted"
    STARTED = "Started"
    STEP_TAKEN = "StepTaken"
    CHECK_FAILED = "CheckFailed"
    HOOK_PASSED = "HookPassed"
    HOOK_FAILED = "HookFailed"
    NO_DATA = "NoData"
    GATE_CLOSED = "GateClosed"
    PAUSED = "Paused"
    NOT_READY = "NotReady"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    GATEWAY_BEHIND = "GatewayBehind"
    GATEWAY_SILENT = "GatewaySilent"
    REVERTED = "Reverted"
    TARGET_MISSING = "TargetMissing"
    DRIFT = "Drift"
    SPEC_EDITED = "SpecEdited"
    THRESHOLD_REACHED = "ThresholdReached"
    ROLLBACK_REQUESTED = "RollbackRequested"
    ROLLED_BACK = "RolledBack"
    PROMOTING = "Promoting"
    PROMOTION_FAILED = "PromotionFailed"
    ROUTED_TO_PRIMARY = "RoutedToPrimary"
    PROMOTED = "Promoted"
    INVALID = "Invalid"
    NOT_AS_WRITTEN = "NotAsWritten"
    MENDED = "Mended"
    SUSPENDED = "Suspended"
    SOAKING = "Soaking"
    SETTLED = "Settled"
    SOURCE_MISSING = "SourceMissing"
    ADOPTED = "Adopted"
    FOLLOWED = "FollowedTarget"
    SNAPSHOT_MISSING = "SnapshotMissing"
    REFUSED = "Refused"
    RENAMED = "Renamed"
    TIDIED = "Tidied"
    TERMINATING = "Terminating"
    ROUTED_TO_TARGET = "RoutedToTarget"
    TERMINATED = "Terminated"
    LEFT_BEHIND = "LeftBehind"
    NOT_PROMOTED = "NotPromoted"
    DELETED = "Deleted"
    UNREADABLE = "Unreadable"
    ALERT_FAILED = "AlertFailed"
    COMMAND_ACCEPTED = "CommandAccepted"
    COMMAND_REFUSED = "CommandRefused"

    @classmethod
    def _missing_(cls, value: object) -> Reason | None:
        """A word of another release is told as it is."""
        if not isinstance(value, str):
            return None
        word = str.__new__(cls, value)
        word._name_ = word._value_ = value
        return word
