"""The gRPC services for programs in a browser: gRPC-Web and Connect over HTTP/1.1, and the contract as files.

Calls are forwarded as bytes (`backend.forwarding`); nothing here knows a method by name.
"""
