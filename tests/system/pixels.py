#!/usr/bin/env python3
"""Prints the size, the SHA-256 of the pixels and the texts of PNG files, whatever their compression and filters."""
import hashlib
import struct
import sys
import zlib

CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}


def chunks(data):
    at = 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at:at + 4])
        yield data[at + 4:at + 8], data[at + 8:at + 8 + length]
        at += 12 + length


def unfilter(rows, stride, step):
    """PNG specification, section 9: each byte is predicted from those to the left and above."""
    out, above = bytearray(), bytearray(stride)
    for at in range(0, len(rows), stride + 1):
        kind, row = rows[at], bytearray(rows[at + 1:at + 1 + stride])
        for i in range(stride):
            left = row[i - step] if i >= step else 0
            corner = above[i - step] if i >= step else 0
            up = above[i]
            if kind == 1:
                row[i] = (row[i] + left) & 255
            elif kind == 2:
                row[i] = (row[i] + up) & 255
            elif kind == 3:
                row[i] = (row[i] + (left + up) // 2) & 255
            elif kind == 4:
                guess = left + up - corner
                nearest = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))
                row[i] = (row[i] + nearest[2]) & 255
        out += row
        above = row
    return out


for name in sys.argv[1:]:
    data, packed, texts = open(name, "rb").read(), b"", []
    for kind, body in chunks(data):
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
        elif kind == b"IDAT":
            packed += body
        elif kind == b"tEXt":
            texts.append(body)
        elif kind == b"iTXt":
            key, rest = body.split(b"\0", 1)
            text = rest[2:].split(b"\0", 2)[2]
            texts.append(key + b"\0" + (zlib.decompress(text) if rest[0] else text))
    stride = width * CHANNELS[colour] * depth // 8
    pixels = unfilter(zlib.decompress(packed), stride, max(1, CHANNELS[colour] * depth // 8))
    print(name, width, height, hashlib.sha256(pixels).hexdigest(), *texts)
