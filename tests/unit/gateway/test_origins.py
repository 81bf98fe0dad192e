"""Which requests may change something: programs' and our own pages', never those of other origins' pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from voxgate.model.errors import PermissionDenied
from voxgate_gateway.http.origins import refuse_other_origins

HERE = {"host": "hub.lab:8080"}


def refused(*headers: tuple[str, str]) -> bool:
    try:
        refuse_other_origins(Headers(raw=[(name.encode(), value.encode("latin-1")) for name, value in headers]))
    except PermissionDenied:
        return True
    return False


def asked(**said: str) -> bool:
    return refused(*{**HERE, **{name.replace("_", "-"): value for name, value in said.items()}}.items())


def test_a_program_that_says_nothing_of_origins_may():
    assert not asked()
    assert not asked(referer="http://elsewhere.lab/")


@pytest.mark.parametrize("site", ["same-origin", "none", " Same-Origin "])
def test_a_browser_that_asks_for_our_own_page_may(site):
    assert not asked(sec_fetch_site=site, origin="http://hub.lab:8080")
    assert not asked(sec_fetch_site=site)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "whatever comes next", "same-origin, cross-site"])
def test_a_browser_that_asks_for_a_page_of_another_site_may_not(site):
    assert asked(sec_fetch_site=site)
    # Not even with an origin that looks like ours.
    assert asked(sec_fetch_site=site, origin="http://hub.lab:8080")


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://elsewhere.lab",
        "http://hub.lab",
        "http://hub.lab:8081",
        "http://hub.lab:8080.elsewhere.lab",
        "http://hub.lab:8080@elsewhere.lab",
        "http://elsewhere.lab/hub.lab:8080",
        "http://sub.hub.lab:8080",
        "file://hub.lab:8080",
        "hub.lab:8080",
        "http://hub.lab:port",
        "http://[hub.lab:8080",
        "http://hub.lab:8080/",
        "http://hub.lab:8080, http://elsewhere.lab",
    ],
)
def test_an_origin_that_is_not_the_address_asked_may_not(origin):
    assert asked(origin=origin)
    assert asked(origin=origin, sec_fetch_site="same-origin")


def test_every_one_of_several_origins_has_to_be_ours():
    ours, other = ("origin", "http://hub.lab:8080"), ("origin", "http://elsewhere.lab")
    assert not refused(*HERE.items(), ours, ours)
    assert refused(*HERE.items(), ours, other)
    assert refused(*HERE.items(), other, ours)
    assert refused(*HERE.items(), ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site"))


@pytest.mark.parametrize(
    ("origin", "headers"),
    [
        ("https://hub.lab", {"host": "127.0.0.1:8080", "x-forwarded-host": "hub.lab", "x-forwarded-proto": "https"}),
        ("https://hub.lab", {"host": "10.0.0.7:8080", "x-forwarded-host": "hub.lab:443, inner.lab"}),
        ("https://hub.lab", {"host": "hub.lab"}),
        ("https://HUB.lab:443", {"host": "hub.LAB"}),
        ("http://hub.lab", {"host": "hub.lab:80"}),
        ("http://[::1]:8080", {"host": "[::1]:8080"}),
    ],
)
def test_our_own_pages_may_behind_proxies_too(origin, headers):
    assert not refused(*headers.items(), ("origin", origin))


def test_a_page_without_tls_may_not_where_a_proxy_says_that_ours_have_it():
    assert refused(("host", "hub.lab"), ("x-forwarded-proto", "https"), ("origin", "http://hub.lab"))


def test_an_origin_is_nobody_s_where_no_host_is_said():
    assert refused(("origin", "http://hub.lab:8080"))


@given(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=60))
def test_no_header_at_all_makes_it_fail_otherwise_or_lets_another_origin_in(text):
    if text.strip().lower() not in ("http://hub.lab:8080", "https://hub.lab:8080"):
        assert asked(origin=text)
    refused(("host", text), ("origin", text), ("x-forwarded-host", text), ("x-forwarded-proto", text))
