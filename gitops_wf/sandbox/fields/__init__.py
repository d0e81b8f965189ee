"""What an API server does with the fields of an object, as pure functions.

`schema` knows the kinds, `stored` and `defaults` make the stored form, `validate`
finds what is wrong, `patch` and `strategic` change an object, `apply` and `managed`
keep who owns which field.
"""
