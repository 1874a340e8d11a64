# SPDX-License-Identifier: AGPL-3.0-or-later
"""What protects the visitor: headers, no credentials over plain HTTP, no link from a forged Host, a fixed set of files."""

import pytest
from tests.web_pages import DOMAIN, HERE, PASSWORD, Browser, Page, Relay

from razdar.settings import port_layout

PLAIN = f"http://{HERE}:8080"
TOKEN = "aaaabbbbccccdddd"
PATHS = ["/", f"/i/{TOKEN}", "/reconnect", "/nothing", "/welcome", "/new", "/static/razdar.css", "/robots.txt", "/mail/config-v1.1.xml"]
PATHS += ["/account", "/privacy", "/i", "/apps/delta.apk", "/limits"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_binds_the_browser(path: str) -> None:
    headers = Browser(Relay(invites={TOKEN: 1})).get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "font-src": "'self'",
        "img-src": "'self' data:",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-opener-policy"] == "same-origin"


def test_a_bug_and_a_busy_relay_are_bound_as_well() -> None:
    answer = Browser(Relay(invites={TOKEN: 1}, claim_error=LookupError())).post(f"/i/{TOKEN}")
    assert answer.status_code == 500
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize(
    ("is_self_signed", "layout", "scheme", "expected"),
    [
        (False, "standard", "https", True),
        (True, "standard", "https", False),  # RFC 6797 section 8.1: not with a certificate that browsers warn of
        (False, "high", "https", False),  # section 8.3 would turn http://…:8080 into https://…:8080
        (False, "standard", "http", False),  # section 7.2
    ],
)
def test_hsts_only_where_it_can_be_kept(is_self_signed: bool, layout: str, scheme: str, expected: bool) -> None:
    relay = Relay(is_self_signed=is_self_signed, ports=port_layout(layout))
    assert ("strict-transport-security" in Browser(relay, f"{scheme}://{HERE}").get("/").headers) is expected


@pytest.mark.parametrize("forwarded", [{}, {"X-Forwarded-Proto": "https"}, {"Forwarded": "proto=https"}, {"X-Forwarded-Ssl": "on"}])
@pytest.mark.parametrize("path", ["/welcome", "/new", f"/i/{TOKEN}", "/reconnect", "/account/password", "/account/delete"])
@pytest.mark.parametrize("base_url", [PLAIN, "http://127.0.0.1:8080", "http://[::1]:8080"])
def test_credentials_never_go_over_plain_http(path: str, forwarded: dict[str, str], base_url: str) -> None:
    relay = Relay(invites={TOKEN: 1})
    form = {"address": f"abcdefghi@{DOMAIN}", "password": PASSWORD}
    answer = Browser(relay, base_url).post(path, headers=forwarded, data=form)
    assert answer.status_code == 403
    assert PASSWORD not in answer.text
    assert "dclogin:" not in answer.text
    assert (relay.made, relay.invites) == (0, {TOKEN: 1})


@pytest.mark.parametrize("forged", ["evil.example", "evil.example:1", '"><script>', "192.0.2.7@evil.example", ""])
@pytest.mark.parametrize("base_url", [f"https://{HERE}:8443", PLAIN])
def test_a_forged_host_reaches_no_page(forged: str, base_url: str) -> None:
    browser = Browser(Relay(invites={TOKEN: 9}), base_url)
    headers = {"Host": forged, "X-Forwarded-Host": "evil.example", "X-Forwarded-Server": "evil.example"}
    for method, path in [("GET", path) for path in PATHS] + [("POST", "/welcome"), ("POST", "/new"), ("POST", f"/i/{TOKEN}")]:
        answer = browser.ask(method, path, headers=headers)
        assert "evil" not in answer.text
        assert "location" not in answer.headers


@pytest.mark.parametrize("path", ["/welcome/", "/reconnect/", "/account/", "/apps/", "/privacy/", "/static/", "/i/", f"/i/{TOKEN}/"])
def test_nothing_redirects(path: str) -> None:
    """A redirect to the path with or without its last slash would be built from the Host header."""
    answer = Browser(Relay()).get(path, headers={"Host": "evil.example"})
    assert answer.status_code == 404
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static/%2e%2e%2f%2e%2e%2fsettings.py",
        "/static/..%5capp.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/razdar.css%00.txt",
        "/static/....//app.py",
        "/static/app.py",
        "/..%2f..%2f..%2fetc/passwd",
        "/templates/base.html",
    ],
)
def test_only_the_files_of_the_table_are_served(path: str) -> None:
    assert Browser(Relay()).get(path).status_code == 404


def test_an_unknown_path_is_not_repeated() -> None:
    assert "marker" not in Browser(Relay()).get("/marker?marker=marker").text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_other_methods_are_refused(method: str) -> None:
    answer = Browser(Relay()).ask(method, "/")
    assert answer.status_code == 405
    assert Page(answer.text).one("h1")
