"""Volumes that are not on this machine: on web servers, in S3 and in Google Cloud Storage."""

from voxgate_remotes.objects.remote import ObjectsRemote

__all__ = ["ObjectsRemote"]
