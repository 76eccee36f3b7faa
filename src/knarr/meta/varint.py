"""Integers as Protocol Buffers write them: seven bits a byte, the lowest first.

https://protobuf.dev/programming-guides/encoding/#varints
"""

SHORT = tuple(bytes((n,)) for n in range(0x80))  #: those that take one byte
_MASK = (1 << 64) - 1


def varint(value: int) -> bytes:
    """An integer of up to 64 bits; a negative one as its two's complement."""
    if 0 <= value < 0x80:
        return SHORT[value]
    value &= _MASK
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
