"""The front door: mail comes in, is stored raw before it is acknowledged, sorted, handed on."""
