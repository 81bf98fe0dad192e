"""The Zarr dialects: every volume as an unsharded OME-NGFF image, in Zarr v3 at `/zarr/` and in Zarr v2 at `/zarr2/`.

One Zarr version per URL: neuroglancer refuses a place that has both. Arrays start at index 0, so where a volume lies is
said by its transformations alone. Formats: zarr-specs.readthedocs.io (v2, v3) and ngff.openmicroscopy.org (0.4, 0.5).
"""
