"""A message to be signed, when, and a key of each kind."""

from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from circular.mailformat.dkim import Key

AT = datetime(2026, 3, 2, 15, 4, 5, tzinfo=UTC)
RSA = Key("universidad.edu.co", "c1", rsa.generate_private_key(65537, 2048))
ED25519 = Key("universidad.edu.co", "e1", ed25519.Ed25519PrivateKey.generate())
MESSAGE = (
    b"From: Rectoria <rectoria@universidad.edu.co>\r\n"
    b"To: ana@universidad.edu.co\r\n"
    b"Subject: Circular  de\r\n  marzo\t \r\n"
    b"Date: Mon, 02 Mar 2026 15:04:05 +0000\r\n"
    b"Message-ID: <1@universidad.edu.co>\r\n"
    b"List-Unsubscribe: <mailto:bajas@universidad.edu.co>\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"\r\n"
    b"Cuerpo  con espacios \r\n\r\n\r\n"
)
