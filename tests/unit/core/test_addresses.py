import pytest

from gitops_wf.core.addresses import AddressPolicy, networks

REFUSED = [
    "169.254.169.254",
    "169.254.0.1",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "100.100.100.200",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "::ffff:0:a9fe:a9fe",
    "fd20:ce::254",
    "2002:a9fe:a9fe::1",
    "224.0.0.1",
]


@pytest.mark.parametrize("address", REFUSED)
def test_metadata_and_link_local_addresses_are_refused_however_written(address):
    assert AddressPolicy().refusal(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "10.0.0.7", "2001:db8::1"])
def test_other_addresses_are_allowed(address):
    assert AddressPolicy(allow_loopback=False).refusal(address) is None


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "0.0.0.0", "::ffff:127.0.0.1"])
def test_loopback_is_allowed_unless_switched_off(address):
    assert AddressPolicy().refusal(address) is None
    assert AddressPolicy(allow_loopback=False).refusal(address)


def test_an_exception_is_made_for_the_networks_named_and_no_other():
    policy = AddressPolicy(allow=networks(("169.254.10.0/24",)))

    assert policy.refusal("169.254.10.5") is None
    assert policy.refusal("169.254.11.5")
