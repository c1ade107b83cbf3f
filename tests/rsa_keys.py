"""Keys of RSA in a process of tests: of 2,048 bits, each the product of two primes out of a list, and so made in no time.

To look for two primes takes a tenth of a second, which was a fortieth of what a test run took. No key is given twice in a process until
all pairs of primes were. Servers in processes of their own make their keys as always.
"""

import itertools
import random
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc._rfc7518 import rsa_key

from sekisho.journal.trail import keys

PRIMES = [int(line, 16) for line in Path(__file__).with_suffix(".txt").read_text().splitlines()]
"""Found by `generate_private_key`: of 1,024 bits and so large that each product has 2,048."""
EXPONENT, BITS = 65537, 2048

_found = rsa.generate_private_key
_pairs = itertools.cycle(random.Random(1).sample([*itertools.combinations(PRIMES, 2)], len(PRIMES) * (len(PRIMES) - 1) // 2))


def share() -> None:
    """From here on, what makes keys in this process has them of the list."""
    for module in (rsa, rsa_key, keys):
        vars(module)["generate_private_key"] = generate_private_key


def generate_private_key(public_exponent: int, key_size: int) -> rsa.RSAPrivateKey:
    """Stands for that of `cryptography`; a key of another size is looked for."""
    if (public_exponent, key_size) != (EXPONENT, BITS):
        return _found(public_exponent, key_size)
    p, q = next(_pairs)
    d = pow(EXPONENT, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(EXPONENT, p * q)
    parts = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    return rsa.RSAPrivateNumbers(p, q, d, *parts, public).private_key(unsafe_skip_rsa_key_validation=True)
