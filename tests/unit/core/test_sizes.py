import pytest

from gitops_wf.core.sizes import Size, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512Mi", 512 << 20),
        ("2Gi", 2 << 30),
        ("500M", 5 * 10**8),
        ("64k", 64000),
        ("7", 7),
    ],
)
def test_a_size_is_read_as_kubernetes_reads_it(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "lots", "1.5Gi", "-1", "1 Gi", "5MB", "9" * 40])
def test_what_is_no_size_gets_an_error_that_shows_one(text):
    with pytest.raises(ValueError, match="such as 512Mi"):
        parse_size(text)


@pytest.mark.parametrize("text", ["512Mi", "2Gi", "1025", "3Ki", "0"])
def test_a_size_is_printed_as_it_is_read(text):
    assert str(parse_size(text)) == f"{Size(parse_size(text))}" == text
