"""What of a hook's url people are shown, and what is taken out of what they read."""

from __future__ import annotations

import pytest

from schemas.hooks import secrets_in, shown_url


@pytest.mark.parametrize(
    ("url", "shown", "secrets"),
    [
        ("http://gate/x", "http://gate/x", ()),
        ("http://gate:8080/x?mail=ann@b.c", "http://gate:8080/x?mail=ann@b.c", ()),
        ("http://ann:s3cret@gate/x", "http://ann:***@gate/x", ("s3cret",)),
        ("http://ann:s3%2Fcret@gate", "http://ann:***@gate", ("s3%2Fcret", "s3/cret")),
        ("http://ann:s3?cr/et@gate/x", "http://ann:***@gate/x", ("s3?cr/et",)),
        ("ann:s3cret@gate/x", "ann:***@gate/x", ("s3cret",)),
        ("//ann:s3cret@gate/x", "//ann:***@gate/x", ("s3cret",)),
        ("http://admin@gate/x", "http://admin@gate/x", ()),
        ("https://gate/x?api_key=0123abcd&name=shop", "https://gate/x?api_key=***&name=shop", ("0123abcd",)),
        ("https://gate/x?apiKey=canary", "https://gate/x?apiKey=***", ()),
        ("https://gate/x#access_token=0123abcd", "https://gate/x#access_token=***", ("0123abcd",)),
        ("https://gate/x?passed=true&keyspace=checkout&design=blue1234", None, ()),
        ("ftp://gate/?sig=f", "ftp://gate/?sig=***", ()),
        ("nats://canary.hook.approval", "nats://canary.hook.approval", ()),
        ("", "", ()),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str | None, secrets: tuple[str, ...]) -> None:
    assert shown_url(url) == (url if shown is None else shown)
    assert secrets_in(url) == secrets
