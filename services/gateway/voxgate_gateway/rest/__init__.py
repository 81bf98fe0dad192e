"""REST and JSON for every language without gRPC: `/api/v1/…`, its OpenAPI document, and the page `/api/`."""
