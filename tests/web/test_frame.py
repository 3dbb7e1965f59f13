"""The frame around every page."""

def test_home_is_a_page_for_everyone_who_is_signed_in(sign_in_as) -> None:
    page = sign_in_as("member").get("/")
    assert page.status == 200
    assert page.h1 == "Home"
    assert page.title == "Home · Marlow & Co"
