"""PORTAL_MAIL_URL and PORTAL_MAIL_FROM: what is understood, and that a password is never repeated."""

from __future__ import annotations

import pytest

from portal.config import MailServer, mail_server

FROM = "billing@marlow.example"


def test_no_address_means_no_mail() -> None:
    assert not mail_server("", "").is_on
    assert not mail_server(" ", FROM).is_on


def test_an_address_says_host_port_and_who_signs_in() -> None:
    assert mail_server("smtp://portal:p%40ss%2Fword@mail.example", FROM) == MailServer(
        "mail.example", 587, "portal", "p@ss/word", False, FROM
    )
    found = mail_server("smtps://mail.example", FROM)
    assert (found.port, found.is_tls, found.user) == (465, True, "")
    assert mail_server("smtp://127.0.0.1:2525/", FROM).port == 2525


@pytest.mark.parametrize(
    "url",
    ["mail.example", "http://u:topsecret@mail.example", "smtp://u:topsecret@", "smtp://u:top/secret@mail.example",
     "smtp://u:topsecret@mail.example:port", "smtp://u:topsecret@mail.example/path", "smtp://[u:topsecret"],
)  # fmt: skip
def test_one_that_cannot_be_understood_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="PORTAL_MAIL_URL cannot be understood") as refused:
        mail_server(url, FROM)
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("sender", ["", "Marlow", "Marlow <a@b.example>", "a@b\r\nBcc: c@d.example", "ä@b.example"])
def test_a_server_without_a_usable_sender_is_refused(sender: str) -> None:
    with pytest.raises(ValueError, match="PORTAL_MAIL_FROM"):
        mail_server("smtp://mail.example", sender)


def test_a_password_is_in_no_description_of_the_settings() -> None:
    assert "topsecret" not in repr(mail_server("smtp://portal:topsecret@mail.example", FROM))
