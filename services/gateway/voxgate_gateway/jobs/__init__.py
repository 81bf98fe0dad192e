"""The page of jobs, and what follows jobs for it and for others."""

from voxgate_gateway.jobs.page import ROUTES

__all__ = ["ROUTES"]
