"""CertificateSigningRequest: what upstream refuses, and with which words."""

VALID = {
    "apiVersion": "certificates.k8s.io/v1",
    "kind": "CertificateSigningRequest",
    "metadata": {"name": "x"},
    "spec": {
        "request": (
            "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KQUFBQQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K"
        ),
        "signerName": "example.com/signer",
        "usages": ["client auth"],
    },
}
CREATE = {
    "a request is PEM": (
        {"spec.request": "AAAA"},
        ['spec.request: Invalid value: "AAAA": PEM block type must be CERTIFICATE REQUEST'],
    ),
    "a signer is named": (
        {"spec.signerName": ""},
        ["spec.signerName: Required value"],
    ),
    "a signer is named in full": (
        {"spec.signerName": "x"},
        [
            (
                'spec.signerName: Invalid value: "x": must be a fully qualified domain and path of '
                "the form 'example.com/signer-name'"
            )
        ],
    ),
    "a use is named": ({"spec.usages": []}, ["spec.usages: Required value"]),
    "a use is one of those that there are": (
        {"spec.usages": ["client auth", "bogus"]},
        [
            'spec.usages[1]: Unsupported value: "bogus": supported values: "any", "cert sign", "client auth", '
            '"code signing", "content commitment", "crl sign", "data encipherment", "decipher only", '
            '"digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", '
            '"ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", '
            '"s/mime", "server auth", "signing", "timestamping"'
        ],
    ),
    "a use is named once": (
        {"spec.usages": ["client auth", "client auth"]},
        ['spec.usages[1]: Duplicate value: "client auth"'],
    ),
    "a certificate lasts": (
        {"spec.expirationSeconds": 599},
        [("spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 600 seconds (10 minutes)")],
    ),
}
UPDATE = {
    "what was asked stays": (
        {},
        {"spec.signerName": "example.com/other"},
        [
            (
                "spec: Invalid value: "
                '{"request":"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KQUFBQQotLS0tLUVORCBDRVJUS'
                'UZJQ0FURSBSRVFVRVNULS0tLS0K","signerName":"example.com/other","usages":["client '
                'auth"]}: field is immutable'
            )
        ],
    ),
}
