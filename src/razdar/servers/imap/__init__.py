"""IMAP at the socket: one connection class, and handlers by kind of command."""
