"""A gate in front of a broker of Kafka's protocol: TLS, a certificate of the client's where one is asked for, and SASL (KIP-43,
KIP-152) where there is a user. Whoever is through talks to the broker, which knows nothing of it."""

import asyncio
import json
import ssl
import struct
import sys

from scramp import ScramException, ScramMechanism

API_VERSIONS, HANDSHAKE, AUTHENTICATE = 18, 17, 36
UNSUPPORTED_MECHANISM, AUTHENTICATION_FAILED = 33, 58
SCRAM = ["SCRAM-SHA-256", "SCRAM-SHA-512"]

told = json.loads(sys.argv[1])


async def frame(reader):
    (length,) = struct.unpack(">i", await reader.readexactly(4))
    return await reader.readexactly(length)


def send(writer, octets):
    writer.write(struct.pack(">i", len(octets)) + octets)


def plain():
    """The server's side of PLAIN (RFC 4616): takes the client's messages, and gives answers and whether these are the last."""
    message = yield
    if message.split(b"\0")[1:] != [told["user"].encode(), told["password"].encode()]:
        raise ScramException("wrong password")
    yield b"", True


def scram(name):
    """That of SCRAM (RFC 5802)."""
    mechanism = ScramMechanism(name)

    def known(user):
        if user != told["user"]:
            raise ScramException("no such user")
        return mechanism.make_auth_info(told["password"])

    server = mechanism.make_server(known)
    server.set_client_first((yield).decode())
    final = yield server.get_server_first().encode(), False
    server.set_client_final(final.decode())
    yield server.get_server_final().encode(), True


def counted(octets):
    """Octets as versions from 2 on write them, which are short here."""
    length = len(octets) + 1
    return (bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])) + octets


def uncounted(octets):
    first = octets[0]
    length, start = (first, 1) if first < 128 else (first & 127 | octets[1] << 7, 2)
    return octets[start : start + length - 1]


async def admit(reader, writer, of_broker, to_broker):
    """Whether a client is who it should be."""
    talk = None
    while True:
        request = await frame(reader)
        key, version, correlation, client = struct.unpack(">hhih", request[:10])
        body = request[10 + max(client, 0) :]
        head = struct.pack(">i", correlation)
        if key == API_VERSIONS:
            send(to_broker, request)
            send(writer, await frame(of_broker))
        elif key == HANDSHAKE:
            name = body[2:].decode()
            known = name in SCRAM or name == "PLAIN"
            names = b"".join(struct.pack(">h", len(other)) + other.encode() for other in [*SCRAM, "PLAIN"])
            send(writer, head + struct.pack(">hi", 0 if known else UNSUPPORTED_MECHANISM, 3) + names)
            if not known:
                return False
            talk = scram(name) if name in SCRAM else plain()
            next(talk)
        elif key == AUTHENTICATE and talk:
            # From version 2 on, the header ends with tags.
            message = uncounted(body[1:]) if version > 1 else body[4:]
            error, why, answer, is_last = 0, b"", b"", True
            try:
                answer, is_last = talk.send(message)
            except ScramException as wrong:
                error, why = AUTHENTICATION_FAILED, str(wrong).encode()
            if version > 1:
                rest = counted(why) + counted(answer) + struct.pack(">q", 0) + b"\0"
                send(writer, head + b"\0" + struct.pack(">h", error) + rest)
            else:
                rest = struct.pack(">h", len(why)) + why + struct.pack(">i", len(answer)) + answer
                send(writer, head + struct.pack(">h", error) + rest + (struct.pack(">q", 0) if version else b""))
            await writer.drain()
            if is_last:
                return not error
        else:
            return False


async def pass_on(reader, writer):
    while octets := await reader.read(1 << 16):
        writer.write(octets)
        await writer.drain()


async def serve(reader, writer):
    of_broker, to_broker = await asyncio.open_connection("127.0.0.1", told["broker"])
    try:
        if "user" not in told or await admit(reader, writer, of_broker, to_broker):
            await asyncio.wait(
                [asyncio.create_task(pass_on(reader, to_broker)), asyncio.create_task(pass_on(of_broker, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
    except (asyncio.IncompleteReadError, OSError):
        pass
    finally:
        to_broker.close()
        writer.close()


async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(told["certificate"], told["key"])
    if "clients" in told:
        context.load_verify_locations(told["clients"])
        context.verify_mode = ssl.CERT_REQUIRED
    server = await asyncio.start_server(serve, "127.0.0.1", told["port"], ssl=context)
    print("open", flush=True)
    await server.serve_forever()


asyncio.run(main())
