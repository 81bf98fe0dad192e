"""Marching cubes of many labels in one pass, without Python's lock."""
