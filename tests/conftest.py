"""What the whole suite shares."""


def pytest_addoption(parser):
    parser.addoption(
        "--renew", action="store_true", help="write the golden traces anew and show what changed"
    )
