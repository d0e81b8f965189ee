import pytest

from gitops_wf.delivery.pull_requests import (
    Provider,
    default_api,
    default_repository,
)


@pytest.mark.parametrize(
    ("provider", "url", "api"),
    [
        ("github", "https://github.com/acme/config.git", "https://api.github.com"),
        ("github", "git@github.com:acme/config.git", "https://api.github.com"),
        ("github", "https://git.acme.example/a/b", "https://git.acme.example/api/v3"),
        ("gitlab", "ssh://git@gl.example:2222/a/b.git", "https://gl.example/api/v4"),
        ("gitlab", "https://gl.example:8443/a/b", "https://gl.example:8443/api/v4"),
        ("gitea", "git@tea.example:a/b.git", "https://tea.example/api/v1"),
    ],
)
def test_the_api_is_where_the_provider_puts_it(provider, url, api):
    assert default_api(Provider(provider), url) == api


@pytest.mark.parametrize(
    ("url", "repository"),
    [
        ("https://github.com/acme/config.git", "acme/config"),
        ("git@gl.example:group/sub/config.git", "group/sub/config"),
        ("ssh://git@tea.example:2222/acme/config/", "acme/config"),
    ],
)
def test_the_repository_is_the_path_of_the_url(url, repository):
    assert default_repository(url) == repository
