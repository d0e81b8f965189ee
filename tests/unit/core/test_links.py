import pytest

from gitops_wf.core.links import commit_link, commit_template

SHA = "4f1c2d9e" + "0" * 32


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/shop/web.git", "https://github.com/shop/web/commit/SHA"),
        ("git@github.com:shop/web.git", "https://github.com/shop/web/commit/SHA"),
        ("ssh://git@github.com/shop/web", "https://github.com/shop/web/commit/SHA"),
        (
            "https://gitlab.example.com:8443/a/b/web.git",
            "https://gitlab.example.com:8443/a/b/web/-/commit/SHA",
        ),
        (
            "ssh://git@gitlab.example.com:2222/a/web.git",
            "https://gitlab.example.com/a/web/-/commit/SHA",
        ),
        (
            "https://bitbucket.org/shop/web",
            "https://bitbucket.org/shop/web/commits/SHA",
        ),
        ("http://gitea.local:3000/a/web", "http://gitea.local:3000/a/web/commit/SHA"),
        ("https://codeberg.org/a/web.git", "https://codeberg.org/a/web/commit/SHA"),
        # Who knows what answers there.
        ("https://git.example.com/a/web.git", ""),
        ("https://bitbucket.example.com/scm/a/web.git", ""),
        ("https://notgithub.com/a/web.git", ""),
        ("https://github.com/", ""),
        ("/srv/git/github.com/web.git", ""),
        ("file:///srv/github.com/a/web.git", ""),
    ],
)
def test_a_commit_is_found_where_the_host_s_name_says_how(remote, address):
    link = commit_link(commit_template(remote), SHA)

    assert link == address.replace("SHA", SHA)


def test_what_is_written_counts_before_what_the_url_tells():
    written = "https://git.example.com/web?id={commit}"

    template = commit_template("https://github.com/shop/web", written)

    assert commit_link(template, SHA) == f"https://git.example.com/web?id={SHA}"
